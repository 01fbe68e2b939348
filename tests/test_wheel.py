"""What users install: the wheel, built from the sdist, built from a copy of the checkout.

The copy keeps the checkout as it is, and leaves no stale build folder to take files from. The suite then runs against
the wheel in a virtual environment of its own, from a copy of the checkout without the source. That environment
borrows this one's dependencies through a .pth file: Python adds the folder such a file names to its path but reads no
.pth file in it, so the editable install, which is one, stays out.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FOLDERS: dict[str, str] = PROJECT["tool"]["setuptools"]["package-dir"]
MADE_BY_TOOLS = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "*.gguf")


@dataclass(frozen=True)
class Built:
    """The two files a release consists of, and the folder they were made from."""

    source: Path
    wheel: Path
    sdist: Path


def copy_checkout(target: Path, *, without: Iterable[str] = ()) -> Path:
    """Copy the checkout without what tools made in it, nor what is named; names are of the top folder."""
    left_out = {"build", "dist", *without}

    def ignore(folder: str, names: list[str]) -> set[str]:
        here = left_out & set(names) if Path(folder) == ROOT else set()
        return here | MADE_BY_TOOLS(folder, names)

    shutil.copytree(ROOT, target, ignore=ignore)
    return target


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return what it printed; a failure shows all of that."""
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


def build_tools() -> list[str]:
    """Build with this environment's setuptools where it is new enough (no network), else with a fetched one."""
    newest = int(importlib.metadata.version("setuptools").partition(".")[0])
    return ["--no-isolation"] if newest >= 77 else []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist and, made from it, the wheel."""
    folder = tmp_path_factory.mktemp("release")
    source = copy_checkout(folder / "source")
    run(sys.executable, "-m", "build", *build_tools(), "--outdir", folder, source, cwd=folder)
    return Built(source=source, wheel=next(folder.glob("*.whl")), sdist=next(folder.glob("*.tar.gz")))


def shipped_files(source: Path) -> dict[str, str]:
    """Every file of the package folders: its path below site-packages, and its path in the checkout."""
    found: dict[str, str] = {}
    for name, folder in FOLDERS.items():
        for path in (source / folder).rglob("*"):
            if path.is_file():
                inside = path.relative_to(source / folder).as_posix()
                found[f"{name.replace('.', '/')}/{inside}"] = f"{folder}/{inside}"
    return found


def test_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    """The wheel holds every file of the package folders, data and py.typed included, and no other but its metadata."""
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        metadata = {name.partition(".dist-info/")[2] for name in wheel.namelist()}
    assert names == set(shipped_files(built.source))
    assert {"thinkcap/py.typed", "thinkcap/policies/py.typed"} <= names
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= metadata


def test_sdist_holds_what_the_wheel_is_made_of(built: Built) -> None:
    """The sdist holds the folders as they lie in the checkout, the licence and the README, and no tests."""
    with tarfile.open(built.sdist) as sdist:
        names = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    assert set(shipped_files(built.source).values()) <= names
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names
    assert not {name for name in names if name.startswith(("tests/", "benchmarks/", "docs/", "build/"))}


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a virtual environment that holds the wheel, and borrows everything but thinkcap."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)}, scheme="venv")
    python = Path(paths["scripts"]) / Path(sys.executable).name
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", built.wheel, cwd=folder)
    borrowed = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    Path(paths["purelib"], "borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")
    return python


def test_installed_command_answers(installed: Path, tmp_path: Path) -> None:
    """The thinkcap command the wheel installs runs away from the source."""
    assert "demo" in run(installed.with_name("thinkcap"), "--help", cwd=tmp_path)


def test_installed_package_is_the_one_imported(installed: Path, tmp_path: Path) -> None:
    """Every package is imported from the wheel, though this environment's editable install is within reach."""
    tell = "import sys, importlib; print(*(importlib.import_module(name).__file__ for name in sys.argv[1:]), sep='\\n')"
    places = run(installed, "-c", tell, *FOLDERS, cwd=tmp_path).splitlines()
    assert len(places) == len(FOLDERS)
    assert all(Path(place).is_relative_to(installed.parents[1]) for place in places), places


@pytest.mark.skipif(os.environ.get("THINKCAP_WHEEL") != "1", reason="the suite runs again, on the wheel: make wheel")
def test_suite_passes_on_the_wheel(installed: Path, tmp_path: Path) -> None:
    """With the source folders gone, the whole suite passes on the installed wheel and covers what it has to cover."""
    copy = copy_checkout(tmp_path / "no-source", without={folder.partition("/")[0] for folder in FOLDERS.values()})
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTEST_"))}
    suite = ["pytest", "-m", "not live", "--ignore=tests/test_wheel.py"]
    said = run(installed, "-m", "coverage", "run", "-m", *suite, cwd=copy, env=env)
    print(said.splitlines()[-1])
    print(run(installed, "-m", "coverage", "report", "--skip-covered", cwd=copy, env=env))
