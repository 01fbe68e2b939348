"""The house stands: who may import whom, no circles, and what an import must not pull in."""

from __future__ import annotations

import ast
import graphlib
import importlib.util
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("policies", "controller", "evals")
LAYERS = ("thinkcap.policies", "thinkcap.controller", "thinkcap.evals", "thinkcap")  # the most specific first
MAY_IMPORT = {
    "thinkcap.policies": {"thinkcap.policies"},
    "thinkcap.controller": {"thinkcap.controller", "thinkcap.policies"},
    "thinkcap.evals": {"thinkcap.evals", "thinkcap.policies"},
    "thinkcap": set(LAYERS),
}
NETWORK_CLIENTS = {"openai", "httpx", "httpx2", "requests", "aiohttp", "tenacity", "sqlite3"}
OUTSIDE_WORLD = NETWORK_CLIENTS | {"genai_prices", "tiktoken", "anyio", "asyncio", "subprocess", "time"}
OUTSIDE_WORLD |= {"http", "urllib", "urllib3", "socket", "socketserver", "ssl"}
SDK_BOUNDARY = {
    "thinkcap.controller.clients": "makes the command's client from the environment",
    "thinkcap.controller.govern": "overrides the client's request",
    "thinkcap.controller.controller": "tells a sync client from an async one",
    "thinkcap.controller.local.server": "makes the clients of its own server",
    "thinkcap.controller.recording": "takes the client to record with",
    "thinkcap.controller.retries": "tells the SDK's errors apart",
    "thinkcap.controller.sending": "cuts the SDK's time-out to the seconds left",
    "thinkcap.controller.wire": "writes a pydantic model's schema as the SDK does",
    "thinkcap.demo.act1": "makes the bare client that the governed one is compared with",
}
LOAD_AND_TELL = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps([*sys.modules]))
"""


@dataclass(frozen=True)
class Import:
    """One import statement's target, as a module of ours where it is one.

    Attributes:
        source: the importing module.
        target: the imported module.
        deferred: it stands inside a function, so it runs at a call and not at import.
        for_types: it stands under ``if TYPE_CHECKING``, so it never runs.
        relative: it is written with leading dots.
    """

    source: str
    target: str
    deferred: bool
    for_types: bool
    relative: bool

    @property
    def top(self) -> str:
        return self.target.partition(".")[0]


def folder_of(package: str) -> Path:
    """Where a package's files are: its own folder in the checkout, below thinkcap/ in an installed wheel."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def find_modules() -> dict[str, Path]:
    """Every module of ours by its import name; a package's path is its ``__init__.py``."""
    found: dict[str, Path] = {}
    for layer in LAYERS:
        folder = folder_of(layer)
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((layer, *parts)).removesuffix(".__init__")] = path
    return found


MODULES = find_modules()


def find_packages() -> set[str]:
    """Every package of ours by its import name."""
    return {name for name, path in MODULES.items() if path.name == "__init__.py"}


def read_imports(source: str, path: Path) -> Iterator[Import]:
    """Every import in a file, wherever it stands."""
    yield from imports_below(ast.parse(path.read_text("utf-8")), source, False, False)


def imports_below(node: ast.AST, source: str, deferred: bool, for_types: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(source, alias.name, deferred, for_types, False)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            target = inner if inner in MODULES else node.module or ""
            yield Import(source, target, deferred, for_types, node.level > 0)
    deferred = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        only_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and child in node.body
        yield from imports_below(child, source, deferred, for_types or only_types)


IMPORTS = [each for name, path in MODULES.items() for each in read_imports(name, path)]


def layer_of(module: str) -> str:
    return next(layer for layer in LAYERS if module == layer or module.startswith(f"{layer}."))


def say(imports: list[Import]) -> str:
    return "\n".join(f"{each.source} imports {each.target}" for each in imports)


def loaded_by(*modules: str) -> set[str]:
    """The names of all modules a fresh interpreter holds after importing some, started where the folders lie."""
    done = subprocess.run([sys.executable, "-c", LOAD_AND_TELL, *modules], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_every_layer_imports_only_what_lies_below() -> None:
    """policies imports policies, controller and evals import policies and themselves, and nobody imports thinkcap."""
    ours = [each for each in IMPORTS if each.top == "thinkcap"]
    wrong = [each for each in ours if layer_of(each.target) not in MAY_IMPORT[layer_of(each.source)]]
    assert not wrong, say(wrong)
    assert {layer_of(each.source) for each in ours} >= {"thinkcap.policies", "thinkcap.controller"}


def test_policies_touch_nothing_outside() -> None:
    """No module of policies imports a client, a store, the network or a clock, not even inside a function."""
    wrong = [each for each in IMPORTS if layer_of(each.source) == "thinkcap.policies" and each.top in OUTSIDE_WORLD]
    assert not wrong, say(wrong)


def test_only_the_boundary_imports_the_sdk() -> None:
    """openai is imported in the few modules that are its boundary, each with its reason, alone."""
    importers = {each.source for each in IMPORTS if each.top == "openai" and not each.for_types}
    assert importers == set(SDK_BOUNDARY)


def test_imports_are_absolute_and_under_thinkcap() -> None:
    """No import is relative, and none names a folder by its bare name."""
    wrong = [each for each in IMPORTS if each.relative or each.top in FOLDERS]
    assert not wrong, say(wrong)


def test_no_module_imports_its_own_door() -> None:
    """Inside a package modules import their siblings, so a door may import all of them in any order."""
    wrong = [each for each in IMPORTS if each.target in find_packages() and each.source.startswith(f"{each.target}.")]
    assert not wrong, say(wrong)


def test_no_circles() -> None:
    """Module-level imports form no circle; imports inside functions are listed, for the reader of make layers."""
    graph: dict[str, set[str]] = {name: set() for name in MODULES}
    for each in IMPORTS:
        if each.target in MODULES and not each.deferred and not each.for_types:
            graph[each.source].add(each.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("modules import each other: " + " <- ".join(error.args[1]))
    print(f"{len(MODULES)} modules, {sum(map(len, graph.values()))} imports among them at module level")
    print(
        "inside functions: " + (say([each for each in IMPORTS if each.deferred and each.top == "thinkcap"]) or "none")
    )


def test_no_folder_is_imported_under_its_bare_name() -> None:
    """Importing every module of thinkcap, with the folders in reach, leaves no bare policies, controller or evals."""
    loaded = loaded_by(*(name for name in MODULES if not name.endswith("__main__")))
    assert loaded >= find_packages()
    assert not loaded & set(FOLDERS)


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("thinkcap", {"openai", "numpy", "pydantic", "httpx2", "rich", "typer"}),
        ("thinkcap.policies", NETWORK_CLIENTS),
        ("thinkcap.evals", NETWORK_CLIENTS),
    ],
)
def test_importing_a_door_stays_light(module: str, never: set[str]) -> None:
    """The front door loads nothing heavy, and neither policies nor evals load the SDK or a store."""
    assert not loaded_by(module) & never


def test_pyproject_lists_every_package() -> None:
    """Each package is listed with its folder, explicitly, and every package a type checker starts from is typed."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    assert set(config["packages"]) == find_packages()
    assert set(config["package-dir"]) == find_packages()
    for name, folder in config["package-dir"].items():
        head, *rest = name.removeprefix("thinkcap.").split(".")
        assert folder == "/".join([head, *rest] if head in (*FOLDERS, "thinkcap") else ["thinkcap", head, *rest])
    for layer in LAYERS:
        assert "py.typed" in config["package-data"][layer]
        assert (folder_of(layer) / "py.typed").is_file()
