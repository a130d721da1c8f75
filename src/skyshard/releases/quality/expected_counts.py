"""Rows that a pipeline says it wrote, in a file for ``skyshard quality --expect``; compared with what came. Version 1.

    version: 1
    tables:
      Object:
        rows: 22476                       # of the whole table; may be left out
        datasets:                         # of files, by what their paths name; may be left out
        - {tract: 9196, rows: 5712}
        - {tract: 9197, rows: 5524}
      Source:
        datasets:
        - {type: sourceTable_visit, visit: 1228, rows: 4903}

An entry stands for all files of the table that have the places that it names. Where a table lists datasets, a file
that no entry stands for is a difference, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from skyshard.catalog.strict_files import Strict, broken_rule, read_located
from skyshard.ingest.sources.butler_paths import DatasetId, read_butler_path
from skyshard.releases.quality.database_quality import CountDifference, DatabaseQuality, TableQualityReport

Count = Annotated[int, Field(ge=0)]
_PLACES = ("tract", "patch", "visit", "detector", "band")


class ExpectedDataset(Strict):
    """Files of one dataset, or of several."""

    type: str = ""
    """The dataset type; any where it is left out."""
    tract: int | None = None
    patch: int | str | None = None
    """A number, or two as Gen2 writes them: ``4,5``."""
    visit: int | None = None
    detector: int | str | None = None
    band: str = ""
    rows: Count

    @model_validator(mode="after")
    def names_a_place(self) -> ExpectedDataset:
        """An entry says of which files it is."""
        if not self.wanted():
            raise broken_rule("an entry without type, tract, patch, visit, detector or band", ("rows",), "name one")
        return self

    def wanted(self) -> dict[str, str]:
        """What an id must have, by the names of its fields."""
        named = {"dataset_type": self.type, **{place: getattr(self, place) for place in _PLACES}}
        return {name: str(value) for name, value in named.items() if value not in (None, "")}

    def stands_for(self, dataset: DatasetId) -> bool:
        """Whether a file is of this entry."""
        return all(getattr(dataset, name) == value for name, value in self.wanted().items())

    def __str__(self) -> str:
        return " ".join(value if name == "dataset_type" else f"{name} {value}" for name, value in self.wanted().items())


class ExpectedTable(Strict):
    """One table."""

    rows: Count | None = None
    datasets: list[ExpectedDataset] | None = None


class ExpectedCounts(Strict):
    """The file."""

    version: Literal[1] = 1
    tables: dict[str, ExpectedTable]


def read_expected(path: Path) -> ExpectedCounts:
    """Read what is expected.

    Raises:
        UserError: unreadable, or a wrong key: file, line, key, remedy.
    """
    return read_located(ExpectedCounts, path)


def count_differences(quality: DatabaseQuality, expected: ExpectedCounts) -> list[CountDifference]:
    """Every table and dataset whose rows are not as expected, in the order of the expectation."""
    tables = {one.table: one for one in quality.tables}
    return [one for name, table in expected.tables.items() for one in _of_table(name, table, tables.get(name))]


def _of_table(name: str, expected: ExpectedTable, found: TableQualityReport | None) -> Iterator[CountDifference]:
    rows = found.rows if found is not None else 0
    if expected.rows is not None and expected.rows != rows:
        yield CountDifference(table=name, dataset="", expected=expected.rows, found=rows)
    if expected.datasets is None:
        return
    files = [(read_butler_path(one.path), one) for one in found.datasets] if found is not None else []
    taken: set[str] = set()
    for entry in expected.datasets:
        own = [one for path, one in files if path is not None and entry.stands_for(path.dataset)]
        taken |= {one.path for one in own}
        if (count := sum(one.rows for one in own)) != entry.rows:
            yield CountDifference(table=name, dataset=str(entry), expected=entry.rows, found=count)
    for _, one in files:
        if one.path not in taken:
            yield CountDifference(table=name, dataset=one.dataset or one.path, expected=None, found=one.rows)
