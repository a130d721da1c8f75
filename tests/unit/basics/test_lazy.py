"""Attributes are made once, and packages say three times the same which names they export."""

from __future__ import annotations

import ast
import pickle
import threading
import time
from pathlib import Path

import pytest

import skyshard
from skyshard.basics.lazy import lazy_exports, locked_property, made_of

SOURCE = Path(skyshard.__file__).parent
FRONTS = sorted(path for path in SOURCE.rglob("__init__.py") if "lazy_exports(" in path.read_text())


def _defined(module: Path) -> set[str]:
    """Names that a module binds at its top."""
    found: set[str] = set()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


class Slow:
    """An object whose part takes a moment to make."""

    def __init__(self) -> None:
        self.made = 0

    @locked_property
    def part(self) -> object:
        time.sleep(0.01)
        self.made += 1
        return object()


def test_many_threads_that_ask_at_once_get_one_and_the_same() -> None:
    """The attribute is made once, on every version of Python."""
    slow, found = Slow(), []
    barrier = threading.Barrier(16)

    def ask() -> None:
        barrier.wait()
        found.append(slow.part)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slow.made == 1
    assert len(set(map(id, found))) == 1


def test_each_object_has_an_attribute_of_its_own() -> None:
    """What one object made is not another's."""
    one, other = Slow(), Slow()
    assert one.part is not other.part
    assert one.part is one.part


def test_what_was_never_asked_for_is_not_made() -> None:
    """``made_of`` looks without making."""
    slow = Slow()
    assert made_of(slow, "part") is None
    part = slow.part
    assert made_of(slow, "part") is part


def test_an_object_with_such_an_attribute_crosses_processes() -> None:
    """Nothing of the lock is in the object."""
    slow = Slow()
    assert isinstance(pickle.loads(pickle.dumps(slow)).part, object)


def test_a_failed_attempt_is_tried_again() -> None:
    """An error leaves nothing behind: the next to ask makes it again."""

    class Fails:
        tries = 0

        @locked_property
        def part(self) -> int:
            self.tries += 1
            return 1 // (self.tries - 1)

    fails = Fails()
    with pytest.raises(ZeroDivisionError):
        fails.part  # noqa: B018
    assert fails.part == 1


def test_no_attribute_is_made_without_a_lock() -> None:
    """``functools.cached_property`` has none from Python 3.12 on, and is used nowhere."""
    assert [str(path) for path in SOURCE.rglob("*.py") if "import cached_property" in path.read_text()] == []


@pytest.mark.parametrize("front", FRONTS, ids=lambda path: path.parent.name)
def test_a_package_exports_what_type_checkers_see(front: Path) -> None:
    """The names under TYPE_CHECKING are those that the importer knows, and each is defined where they say."""
    package = ".".join(["skyshard", *front.parent.relative_to(SOURCE).parts])
    (choice,) = (node for node in ast.parse(front.read_text()).body if isinstance(node, ast.If))
    seen = {
        alias.name: str(line.module).removeprefix(f"{package}.")
        for line in choice.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
    (call,) = (node for line in choice.orelse for node in ast.walk(line) if isinstance(node, ast.Call))
    assert ast.literal_eval(call.args[1]) == seen
    for name, home in seen.items():
        assert name in _defined(front.parent.joinpath(*home.split(".")).with_suffix(".py")), name


@pytest.mark.parametrize("front", FRONTS, ids=lambda path: path.parent.name)
def test_no_exported_name_is_that_of_a_module(front: Path) -> None:
    """Whoever imports the module ``fill`` binds it in its package, in place of a function of the same name."""
    (homes,) = (node for node in ast.walk(ast.parse(front.read_text())) if isinstance(node, ast.Dict))
    modules = {path.stem for path in front.parent.iterdir()}
    assert not modules & set(ast.literal_eval(homes))


def test_all_public_names_are_listed() -> None:
    """``__all__`` of the package is what it exports lazily, and the number of the release."""
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    (homes,) = (node for node in ast.walk(tree) if isinstance(node, ast.Dict))
    assert set(skyshard.__all__) == {*ast.literal_eval(homes), "__version__"}
    assert set(skyshard.__all__) <= set(dir(skyshard))


def test_a_name_that_is_not_exported_is_an_attribute_error() -> None:
    """As of any module, so that ``hasattr`` and ``from ... import`` work."""
    find = lazy_exports("skyshard", {"Testbed": "testbed"})
    with pytest.raises(AttributeError, match="module 'skyshard' has no attribute 'Tsetbed'"):
        find("Tsetbed")
