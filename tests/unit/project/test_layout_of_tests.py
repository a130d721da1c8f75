"""Tests are where one looks for them, and share code only through ``tests/support``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
SOURCE = TESTS.parent / "src" / "skyshard"
UNIT = TESTS / "unit"
IMPORT = re.compile(r"^ *import +(tests[\w.]+)", re.MULTILINE)
IMPORT_FROM = re.compile(r"^ *from +(tests[\w.]*) +import +(\([^)]*\)|.*)", re.MULTILINE)
OTHER_NAMES = {
    "bench/check/test_compare_answers_wrong.py": "wrong answers: the other half of test_compare_answers.py",
    "ingest/sources/test_shipped_mappings.py": "the mapping files that are shipped, whatever module reads them",
}
"""Test modules that are not named for a module, each with its reason."""


def _imports(path: Path) -> Iterator[str]:
    """What a module imports, where it names a module of the tests at all."""
    text = path.read_text(encoding="utf-8")
    yield from IMPORT.findall(text)
    for module, names in IMPORT_FROM.findall(text):
        yield from (f"{module}.{name}" for name in re.findall(r"\w+", names))


def _imported_tests(path: Path, allowed: str) -> list[str]:
    return [name for name in _imports(path) if name.startswith("tests.") and not name.startswith(allowed)]


def test_a_test_module_imports_no_other_one() -> None:
    """What two of them need is in ``tests/support``."""
    found = {str(path): _imported_tests(path, "tests.support") for path in sorted(TESTS.rglob("test_*.py"))}
    assert len(found) > 100
    assert {path: names for path, names in found.items() if names} == {}


def test_what_tests_share_knows_no_test_module() -> None:
    """A module of ``tests/support`` imports the product and its neighbours only."""
    found = {path.name: _imported_tests(path, "tests.support.") for path in TESTS.glob("support/*.py")}
    assert {name: names for name, names in found.items() if names} == {}


def test_a_unit_test_is_where_its_module_is() -> None:
    """``tests/unit/a/b/test_c.py`` tests ``skyshard/a/b/c.py``; the few others are listed above with a reason."""
    tests = [path.relative_to(UNIT) for path in sorted(UNIT.rglob("test_*.py")) if "project" not in path.parts]
    modules = {str(test): SOURCE / test.parent / test.name.removeprefix("test_") for test in tests}
    assert [test for test, module in modules.items() if not module.parent.is_dir()] == []
    assert {test for test, module in modules.items() if not module.exists()} == set(OTHER_NAMES)
