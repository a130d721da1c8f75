"""The page of a difference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.differences import column_of, difference_of, table_of

from skyshard.releases.differences.difference import ChunkChange, DatabaseDifference, Violation
from skyshard.releases.pages.difference_page import html, status, verdict, write_difference


def chunk(number: int, lost: int) -> ChunkChange:
    box = {"ra_min": 10.0 + number, "ra_max": 11.0 + number, "dec_min": 0.0, "dec_max": 1.0}
    return ChunkChange(chunk=number, old=10, new=10 - lost, lost=lost, appeared=0, matched=10 - lost, changed=2, **box)


def changed(*chunks: ChunkChange) -> DatabaseDifference:
    columns = [column_of("r_<b>flux", 10, 4), column_of("ra", 10, 10)]
    return difference_of(
        table_of("Object", matched=10, lost=3, rows_old=13, changed=6, columns=columns, chunks=list(chunks))
    )


CHUNKS = (chunk(1, 3), chunk(2, 0))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of changes with a map, in a folder of its own; drawing takes a second."""
    return write_difference(tmp_path_factory.mktemp("difference") / "new" / "folder", changed(*CHUNKS))


def test_equal_databases_are_said_to_be_equal() -> None:
    """And a page without a map or a table of columns."""
    equal = difference_of(table_of("Object", matched=10, columns=[column_of("ra", 10, 10)]))
    assert (status(equal), verdict(equal)) == ("passed", "All rows and columns are equal.")
    assert "<svg" not in html(equal)


def test_a_changed_column_is_named_with_its_share_and_escaped(written: Path) -> None:
    """Names are people's texts; 4 of 10 rows are equal."""
    page = written.read_text()
    assert "r_<wbr>&lt;b&gt;flux" in page
    assert "<b>flux" not in page
    assert "40 %" in page
    assert verdict(changed()) == "1 of 1 tables differ."


def test_the_sky_is_shown_for_what_changed_only(written: Path) -> None:
    """Lost and changed rows have a map, new ones, of which there are none, have not."""
    titles = re.findall(r"<title>(The occupied part[^<]*)</title>", written.read_text())
    assert titles == ["The occupied part of the sky: matched rows that changed; old rows lost"] * 2


def test_violations_stand_first() -> None:
    """The sentence of each, and the mark of a failure."""
    broken = Violation(table="Object", column="", what="lost_share", found=0.2, limit=0.1, sentence="too many lost")
    found = changed().model_copy(update={"violations": [broken]})
    assert status(found) == "failed"
    assert html(found).index("too many lost") < html(found).index('id="tables"')


def test_the_folder_holds_the_page_and_the_numbers(written: Path) -> None:
    """What is read back is what was written, byte for byte the same when written again."""
    text, page = (written.parent / "diff.json").read_text(), written.read_text()
    assert DatabaseDifference.model_validate_json(text) == changed(*CHUNKS)
    write_difference(written.parent, changed(*CHUNKS))
    assert ((written.parent / "diff.json").read_text(), written.read_text()) == (text, page)
