"""The page of an experiment: every number as text, no p of 0, nothing from the network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.support.made_experiments import made_trials, written
from tests.support.svg_texts import svg_texts, unreadable

from skyshard.bench.experiment.analyse import analyse
from skyshard.bench.experiment.experiment_result import ExperimentResult
from skyshard.bench.experiment.server_numbers import CellServer
from skyshard.bench.pages.experiment_figures import cells_figure, effects_figure
from skyshard.bench.pages.experiment_page import p_text, server_rows, write_experiment
from skyshard.bench.pages.visit_figures import courses_figure
from skyshard.bench.record.server_work import Attribution
from skyshard.catalog.strict_files import read_written

pytestmark = pytest.mark.timeout(60)  # figures take seconds
FILE = "factors: {engine: [MyISAM, Aria], nodes: [1, 2]}\ntrials: 3\n"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ExperimentResult:
    random = np.random.default_rng(1)
    classes = {"LV": lambda levels: 2.0 * (levels["engine"] == "Aria"), "<b>odd": lambda _: 0.0}
    file = written(tmp_path_factory.mktemp("experiment"), FILE)
    return analyse(made_trials(file, classes, noise=lambda: float(random.normal(0, 0.02))))


@pytest.fixture(scope="module")
def page(result: ExperimentResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_experiment(result, tmp_path_factory.mktemp("page") / "out")


def test_the_page_the_text_and_the_numbers_agree(result: ExperimentResult, page: Path) -> None:
    """The JSON is read back as it was; the paragraph stands on the page and in the text."""
    assert read_written(ExperimentResult, page.with_suffix(".json"), "run it again") == result
    text = page.read_text()
    assert "MyISAM is fastest for LV (alone)" in text
    assert "MyISAM is fastest for LV (alone)" in page.with_suffix(".md").read_text()
    (shown,) = (one for one in result.effects if one.is_shown)
    assert p_text(shown.p) in page.with_suffix(".md").read_text()
    assert result.exact_test is not None
    assert shown.p >= result.exact_test.smallest_p
    assert f"all {result.exact_test.deals:,} of the {result.exact_test.deals:,} ways were tried" in text
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert "<b>odd" not in text
    assert json.loads(page.with_suffix(".json").read_text())["version"] == 1


def test_no_label_of_a_figure_leaves_its_picture(page: Path) -> None:
    """Texts that end at a place begin inside, as far as their length in letters tells."""
    for picture in re.findall(r'<svg role="img".*?</svg>', page.read_text(), re.DOTALL):
        for place, words in re.findall(r"text-anchor: end[^>]*?translate\(([\d.]+) [^>]*?>([^<]+)</text>", picture):
            assert float(place) - 4.4 * len(words) > -6, words


def test_long_names_of_classes_are_read_whole(tmp_path: Path) -> None:
    """Heads of columns do not overprint one another, medians stand below them, no name begins outside its picture."""
    names = [
        f"{table} {what}"
        for table in ("DiaObjectLast", "DiaSource", "DiaForcedSource")
        for what in ("select", "insert")
    ]
    classes = {name: lambda _: 0.0 for name in [*names, "visit", "store", "commit", "select", "load"]}
    random = np.random.default_rng(1)
    found = analyse(made_trials(written(tmp_path, FILE), classes, noise=lambda: float(random.normal(0, 0.02))))
    cells = cells_figure(found.cells, found.classes)
    effects = effects_figure("engine", [one for one in found.effects if one.factor == "engine" and not one.other])
    assert [unreadable(svg) for svg in (cells.wide, effects.wide, effects.narrow)] == [[], [], []]
    assert "1 s" in [one.text for one in svg_texts(cells.wide)]


def test_cells_beside_few_classes_are_named_whole(tmp_path: Path) -> None:
    """Settings have long names: one that ends in dots does not say which cell it is."""
    sizes = "set.innodb_buffer_pool_size: [64M, 1G], set.key_buffer_size: [8M, 256M]"
    file = written(tmp_path, f"factors: {{{sizes}, engine: [Aria, InnoDB, MyISAM]}}\ntrials: 3\n")
    found = analyse(made_trials(file, {"LV": lambda _: 0.0}, noise=lambda: 0.0))
    drawn = cells_figure(found.cells, found.classes)
    assert unreadable(drawn.wide) == []
    assert {f"{one.number}: {one.label}" for one in found.cells} <= {one.text for one in svg_texts(drawn.wide)}
    pool = "set.innodb_buffer_pool_size"
    effects = effects_figure(pool, [one for one in found.effects if one.factor == pool and not one.other])
    assert "innodb_buffer_pool_size 1G against 64M" in {one.text for one in svg_texts(effects.narrow)}


def test_what_classes_cost_servers_is_a_table(result: ExperimentResult, page: Path, tmp_path: Path) -> None:
    """With the cell's label; an experiment without such numbers has no table."""
    one = CellServer(
        cell=result.cells[0].number, phase="alone", class_name="LV", node="node1", attribution=Attribution.ALONE,
        cpu_s=0.002, disk_bytes=0.0, cached_bytes=None, rows_by_index=3.0, rows_by_scan=12345.0, tmp_tables=0.0,
        tmp_disk_tables=0.0, cache_misses={"key cache": 0.5},
    )  # fmt: skip
    (row,) = server_rows(result.model_copy(update={"servers": [one]}))
    assert row == [
        result.cells[0].label, "LV (alone)", "node1", "2 ms", "0 B", "–", "3", "12,345", "0", "keys 0.5",
    ]  # fmt: skip
    with_servers = write_experiment(result.model_copy(update={"servers": [one]}), tmp_path / "with").read_text()
    assert "12,345" in with_servers
    assert "Where the time goes" not in page.read_text()


def test_named_cells_say_what_they_are(tmp_path: Path) -> None:
    """A name alone tells a reader nothing; one effect is shown, not are."""
    text = "cells:\n  small: {nodes: 1, engine: Aria}\n  large: {nodes: 2, scan_threads: 2}\ntrials: 6\n"
    random = np.random.default_rng(3)
    classes = {"LV": lambda levels: 2.0 * (levels["nodes"] == 2)}
    result = analyse(made_trials(written(tmp_path, text), classes, noise=lambda: float(random.normal(0, 0.02))))
    page = write_experiment(result, tmp_path / "out")
    for file in (page, page.with_suffix(".md")):
        words = file.read_text()
        assert "1: small (1 node, Aria)" in words
        assert "2: large (2 nodes, 2 scan threads)" in words
        assert "1 of 1 effects of factors is shown" in words


def test_names_of_any_letters_are_shown_as_they_are(tmp_path: Path) -> None:
    """Dollars are no formula, letters of other alphabets no fault, an underscore at the front hides nothing."""
    names = ["cost $5 and $6", "größe_x^2", "小さい", "_under", "<b>bold</b>", "a|b *c*"]
    cells = "".join(f"  {json.dumps(name)}: {{nodes: {number}}}\n" for number, name in enumerate(names, 1))
    random = np.random.default_rng(3)
    file = written(tmp_path, f"cells:\n{cells}trials: 3\n")
    result = analyse(made_trials(file, {"LV": lambda _: 0.0}, noise=lambda: float(random.normal(0, 0.02))))
    page = write_experiment(result, tmp_path / "out")
    drawn = {one.text for one in svg_texts(cells_figure(result.cells, result.classes).wide)}
    assert {f"{number}: {name}" for number, name in enumerate(names, 1)} <= drawn
    assert "<b>bold</b>" not in page.read_text()
    assert r"\<b\>bold\</b\>" in page.with_suffix(".md").read_text()
    courses = courses_figure("courses", [(name, [1, 2], [0.1, 0.2]) for name in names])
    assert {one.text.strip() for one in svg_texts(courses.wide)} >= set(names)
