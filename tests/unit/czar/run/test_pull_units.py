"""Chunks of a node in units: no server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.growth import assert_linear

from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.czar.plan.chunk_template import Slot, Template
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.run.pull_units import units_of
from skyshard.registry.catalog.chunk_entries import ChunkEntries, ChunkEntry
from skyshard.registry.catalog.published_catalog import CatalogTable
from skyshard.rowimage.sqltype import parse_type

REGION = TableLayout(role=Role.DIRECTOR, key="id", position=("ra", "decl"))
COLUMNS = (Column("id", parse_type("bigint")), *(Column(name, parse_type("double")) for name in ("ra", "decl")))
CHUNKS = tuple(range(1, 101))


def pull(rows_a_chunk: int) -> Pull:
    entries = ChunkEntries.of({chunk: ChunkEntry(rows_a_chunk, 0, ("a",)) for chunk in CHUNKS})
    table = CatalogTable(
        Table("Region", COLUMNS).with_chunk_columns(), REGION, rows_a_chunk * len(entries), entries
    )  # fmt: skip
    return Pull(Template("SELECT 1", {0: Slot("sky", table, "r")}), CHUNKS, 0)


@pytest.mark.parametrize(
    ("rows", "threads", "units"),
    [
        (500, 1, 1),  # 50,000 rows are too few to be shared out
        (1_500, 1, 2),  # 150,000: two of 60,000 and more
        (5_000, 1, 4),  # half a million: a thread has four at most ...
        (5_000, 2, 8),
        (5_000, 4, 8),  # ... a node eight
        (20_000, 1, 10),  # two million: units of at most 200,000
        (20_000, 4, 12),  # the same for each thread
    ],
)
def test_node_has_units_for_its_threads_of_bounded_size(rows: int, threads: int, units: int) -> None:
    """Every chunk is in one unit, in order, and units have much the same rows."""
    made = units_of(pull(rows), CHUNKS, threads)
    assert len(made) == units
    assert tuple(chunk for unit in made for chunk in unit.chunks) == CHUNKS
    assert max(unit.rows for unit in made) - min(unit.rows for unit in made) <= rows


def test_rows_that_somebody_waits_for_begin_with_a_small_unit() -> None:
    """Of a scan that is long enough; every chunk is in one unit, in order."""
    made = units_of(pull(5_000), CHUNKS, 2, is_awaited=True)
    assert [made[0].chunks, made[0].rows] == [(1,), 5_000]
    assert tuple(chunk for unit in made for chunk in unit.chunks) == CHUNKS
    made = units_of(pull(1_000), CHUNKS, 1, is_awaited=True)
    assert [len(unit.chunks) for unit in made] == [8, 92]
    assert len(units_of(pull(500), CHUNKS, 1, is_awaited=True)) == 1
    assert units_of(pull(50_000), CHUNKS[:5], 1, is_awaited=True) == units_of(pull(50_000), CHUNKS[:5], 1)


def test_units_of_the_whole_sky_take_one_pass() -> None:
    """Of a node with many chunks: units are made of each once."""

    def work(chunks: int, _: list[str]) -> Callable[[], object]:
        numbers = tuple(range(chunks))
        entries = ChunkEntries.of({chunk: ChunkEntry(90_000, 0, ("a",)) for chunk in numbers})
        table = CatalogTable(Table("Region", COLUMNS).with_chunk_columns(), REGION, 0, entries)
        held = Pull(Template("SELECT 1", {0: Slot("sky", table, "r")}), numbers, 0)
        return lambda: units_of(held, numbers, 16)

    assert_linear(work)
