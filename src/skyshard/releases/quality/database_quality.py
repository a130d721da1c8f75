"""What the rows of a database hold: the model of what ``skyshard quality --json`` prints. No I/O."""

from __future__ import annotations

from pydantic import Field

from skyshard.catalog.strict_files import Strict


class ColumnQuality(Strict):
    """One column over all rows of a table."""

    name: str
    type: str
    nulls: int
    """NULL in the input. NaN and infinities are stored as NULL, too."""
    nans: int
    infinities: int
    finite_share: float | None = None
    """Rows with a finite value, of all; null for text and times, and without rows. So the next two."""
    min: int | float | None = None
    """A whole number, with all digits, where the column is one of whole numbers."""
    max: int | float | None = None
    trues: int | None = None
    """Rows in which a flag is set; null for other columns."""
    true_share: float | None = None


class PrimaryQuality(Strict):
    """Which rows are primary."""

    column: str
    rows: int
    share: float
    near: int | None = None
    """Those with another primary one within 0.2 arcseconds, counted by transaction; null where not counted."""


class DatasetQuality(Strict):
    """The rows of one input file, or of one dataset."""

    path: str
    dataset: str = ""
    """The dataset id that the path of a Butler export names; empty for other paths."""
    rows: int


class TableQualityReport(Strict):
    """One table."""

    table: str
    rows: int
    """Rows of the table that were counted: those of files that were not replaced."""
    transactions: list[int]
    columns: list[ColumnQuality]
    primary: PrimaryQuality | None = None
    places: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Rows by ``tract``, ``tract/patch``, ``visit``, ``visit/detector``, as far as the table has these columns."""
    datasets: list[DatasetQuality]
    """By input file."""
    replaced: int = 0
    """Files whose counts are left out, as a later transaction took their place."""


class CountDifference(Strict):
    """Rows that are not as expected."""

    table: str
    dataset: str
    """As the expectation names it; empty for a whole table."""
    expected: int | None
    """Null where nothing was expected."""
    found: int

    @property
    def sentence(self) -> str:
        """The difference in words."""
        what = f"{self.table}, {self.dataset}" if self.dataset else self.table
        if self.expected is None:
            return f"{what}: {self.found:,} rows that were not expected"
        return f"{what}: {self.found:,} rows, expected {self.expected:,}"


class DatabaseQuality(Strict):
    """One database."""

    database: str
    tables: list[TableQualityReport]
    uncounted: list[str] = Field(default_factory=list)
    """Tables with rows of which nothing was counted."""
    differences: list[CountDifference] | None = None
    """From what was expected; null where nothing was said."""
