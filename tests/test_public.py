"""Every package is one door: what it shows is what it says, and every name it shows explains itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import thinkcap


def find_doors() -> list[str]:
    """Every package of ours; thinkcap itself first."""
    return ["thinkcap", *packages_below(thinkcap.__path__, "thinkcap.")]


def packages_below(path: list[str], prefix: str) -> Iterator[str]:
    folders = {"thinkcap.policies", "thinkcap.controller", "thinkcap.evals"} if prefix == "thinkcap." else set()
    names = {each.name for each in pkgutil.iter_modules(path, prefix) if each.ispkg} | folders
    for name in sorted(names):
        yield name
        yield from packages_below(list(importlib.import_module(name).__path__), f"{name}.")


DOORS = find_doors()
EAGER = [name for name in DOORS if name != "thinkcap"]


def public_names(door: ModuleType) -> set[str]:
    """What a door shows: every name without an underscore that is no module and no future statement."""
    return {
        name
        for name, value in vars(door).items()
        if not name.startswith("_") and name != "annotations" and not inspect.ismodule(value)
    }


def names_for_types() -> dict[str, str]:
    """What the front door imports for type checkers: name and module, read from its source."""
    assert thinkcap.__file__
    tree = ast.parse(Path(thinkcap.__file__).read_text("utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: node.module or "" for node in imports for alias in node.names}


@pytest.mark.parametrize("name", EAGER)
def test_all_is_what_a_door_shows(name: str) -> None:
    """A package's __all__ names each of its public names once, and nothing else."""
    door = importlib.import_module(name)
    declared: list[str] = list(getattr(door, "__all__", []))
    assert len(declared) == len(set(declared))
    assert set(declared) == public_names(door)


def test_front_door_lists_what_it_fetches() -> None:
    """The names thinkcap fetches on demand are those of __all__, of dir() and of its imports for type checkers."""
    where: dict[str, str] = thinkcap._WHERE
    assert where
    assert len(thinkcap.__all__) == len(set(thinkcap.__all__))
    assert set(thinkcap.__all__) - {"__version__"} == set(where)
    assert set(thinkcap.__all__) <= set(dir(thinkcap))
    assert names_for_types() == where


def test_front_door_fetches_the_real_thing() -> None:
    """Each lazy name is the very object its module holds, and stays in reach of a star import."""
    for name, module in thinkcap._WHERE.items():
        assert getattr(thinkcap, name) is getattr(importlib.import_module(module), name), name


def test_front_door_refuses_an_unknown_name() -> None:
    """A name thinkcap does not have is an AttributeError that says the name, as in any module."""
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = thinkcap.no_such_name


@pytest.mark.parametrize("name", DOORS)
def test_public_names_explain_themselves(name: str) -> None:
    """Every public class and function has a docstring of its own, not one a dataclass wrote or a base class lent."""
    door = importlib.import_module(name)
    assert (door.__doc__ or "").strip(), f"{name} has no docstring"
    for each in getattr(door, "__all__", []):
        value = getattr(door, each)
        if inspect.isclass(value) or inspect.isroutine(value):
            words = (vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__) or ""
            assert words.strip(), f"{name}.{each} has no docstring"
            assert not words.startswith(f"{each}("), f"{name}.{each} has only the docstring its dataclass wrote"
