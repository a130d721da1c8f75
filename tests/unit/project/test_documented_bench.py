"""Every ``bench run`` that the documentation shows, also those that are too long to be run: templates fit the sky."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from tests.support.documented import PAGES, ROOT

from skyshard.apdb.stores.open_store import KINDS
from skyshard.bench.workload.workload import find_workload, read_workload
from skyshard.bench.workload.workload_fit import fit, names_of, workload_templates
from skyshard.cli.commands.bench_options import adjusted
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.rows.generate import open_sky

pytestmark = pytest.mark.timeout(60)  # the first use of a Felis schema reads thousands of columns

TEXTS = [*PAGES, *sorted((ROOT / "queries").rglob("*.yaml")), *sorted((ROOT / "queries").rglob("*.sql"))]
_COMMAND = re.compile(r"skyshard bench run (?!WORKLOAD|--list)[^`#\n]*")


def commands() -> list[str]:
    """The commands, each once, without what a shell leaves out."""
    found = [" ".join(one.split()) for page in TEXTS for one in _COMMAND.findall(page.read_text())]
    return sorted({one.rstrip(".,;:)") for one in found if len(one.split()) > 3})


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words else ""


@pytest.mark.parametrize("command", commands())
def test_a_documented_run_can_be_asked_for(command: str) -> None:
    """With its schema, and what it leaves out, every template has the tables and columns of the sky that it names."""
    words = shlex.split(command)
    file = find_workload(words[3])
    workload = adjusted(
        read_workload(file), option(words, "--leave-out"), float(option(words, "--duration") or 0), check=None
    )
    if workload.is_of_visits:  # which have no templates, and a store as their target
        assert option(words, "--target").partition(":")[0] in KINDS
        return
    recipe = option(words, "--database") or workload.database
    has = names_of({name: spec.table for name, spec in open_sky(read_recipe(recipe)).specs.items()})
    schema = option(words, "--schema")
    templates = fit(file, workload, schema).templates if schema else workload_templates(file, workload)
    assert {key: missing for key, one in templates.items() if (missing := one.missing(has))} == {}
    if schema:
        assert fit(file, workload, schema).lost_classes == []


def test_the_documentation_shows_runs() -> None:
    """Those of the long workloads, and of another survey."""
    shown = " ".join(commands())
    assert all(word in shown for word in ("quick", "kpm-50", "night", "lsdb-1533", "mobu", "--schema hsc"))


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda file: file.stem)
def test_a_benchmark_finds_what_tests_share(file: Path) -> None:
    """It is run by its path, as the documentation shows, so only its own folder is where Python looks."""
    read, _, _ = file.read_text().partition("from tests.support")
    assert read == file.read_text() or "sys.path.insert(0, str(Path(__file__).resolve().parents[1]))" in read
