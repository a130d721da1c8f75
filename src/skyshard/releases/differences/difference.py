"""The difference of two databases as a strict model: ``diff.json``, and what ``skyshard diff --json`` prints.

Version 1. Equal databases and options give the same bytes: no times, no names of machines.
"""

from __future__ import annotations

from typing import Literal

from skyshard.catalog.strict_files import Strict

Key = int | str
"""A key: a whole number, or the values of several columns joined by commas."""


class SideFacts(Strict):
    """One of the two databases."""

    database: str
    """As it was asked for."""
    transaction: int
    """The last one that brought rows."""
    stripes: int
    substripes: int
    overlap_deg: float


class Outlier(Strict):
    """Two matched rows whose numbers differ much."""

    key_new: Key
    key_old: Key
    old: float | None
    new: float | None
    """Null where JSON has no such number."""
    difference: float | None


class ColumnDifference(Strict):
    """One column of matched rows."""

    name: str
    """In the new database."""
    old_name: str
    type_new: str
    type_old: str
    is_number: bool
    """Its values are quantities, which have differences; not so keys, texts, times and bits."""
    rows: int
    """Matched rows."""
    equal: int
    """Of these, rows with equal values; NULL equals NULL."""
    equal_share: float | None
    """Null without matched rows, as are the other shares."""
    nulls_old: int
    nulls_new: int
    null_share_old: float | None
    null_share_new: float | None
    compared: int
    """Rows with a value on both sides."""
    median: float | None
    """Of the differences, new less old, of these rows; null for what is no quantity."""
    mad: float | None
    """The median of the differences' distances from their median, not scaled."""
    largest: list[Outlier]


class GroupChange(Strict):
    """Rows of one group, such as a tract."""

    group: str
    old: int
    new: int


class Grouping(Strict):
    """Rows by the values of some columns."""

    columns: list[str]
    groups: int
    """Groups of either side."""
    differing: int
    """Groups with other numbers of rows."""
    most_changed: list[GroupChange]
    """At most 1,000, by the size of the change, then by name."""


class ChunkChange(Strict):
    """What changed in one cell of the sky: a chunk of the new database's striping."""

    chunk: int
    ra_min: float
    ra_max: float
    dec_min: float
    dec_max: float
    old: int
    """Rows of the old side whose position is here."""
    new: int
    lost: int
    appeared: int
    matched: int
    changed: int
    """Matched rows with an unequal column."""


class SplitObject(Strict):
    """An old object that became several."""

    old: Key
    new: list[Key]


class MergedObject(Strict):
    """A new object that several became."""

    new: Key
    old: list[Key]


class Objects(Strict):
    """What became of rows that are matched by key or by position."""

    matched: int
    matched_by_key: int
    matched_by_position: int
    lost: int
    """Old rows that are neither matched nor split, merged or a further copy."""
    lost_with_neighbour: int
    """Of these, rows with a row of the other side within the radius, which belongs to another object."""
    new: int
    new_with_neighbour: int
    split: int
    """Old rows that became several."""
    split_matched: int
    """Of these, rows that are matched by key besides."""
    split_parts: int
    """New rows that are parts of a split one, without those matched by key."""
    merged: int
    """New rows that several old ones became."""
    merged_matched: int
    merged_sources: int
    """Old rows that went into a merged one, without those matched by key."""
    duplicates_old: int
    """Rows beyond the first of their key."""
    duplicates_new: int
    copies_lost: int
    """Old rows whose key is matched by another row."""
    copies_new: int
    equal_keys: int | None
    """Pairs of rows with equal keys; null where there was no key to compare."""
    equal_keys_near: int | None
    """Of these, pairs within the radius."""
    farthest_arcsec: float | None
    """The largest separation of a pair that is matched by key."""
    lost_keys: list[int]
    """Of at most 100 rows, the lowest; empty where keys are no single whole number."""
    new_keys: list[int]
    splits: list[SplitObject]
    merges: list[MergedObject]


class Content(Strict):
    """What digests say of a table without a key: equal digests, equal rows."""

    is_equal: bool | None
    """Null where the databases or their columns differ in a way that digests cannot bridge."""
    chunks_equal: int | None
    chunks_different: int | None


class TableDifference(Strict):
    """One table that both databases have."""

    table: str
    role: str
    how: Literal["key", "position", "content"]
    why: str
    """Why rows were matched like this, as a sentence."""
    rows_old: int
    rows_new: int
    columns_added: list[str]
    columns_removed: list[str]
    changed: int
    """Matched rows with an unequal column."""
    objects: Objects | None
    content: Content | None
    columns: list[ColumnDifference]
    groupings: list[Grouping]
    chunks: list[ChunkChange]


class Violation(Strict):
    """A threshold that was not kept."""

    table: str
    column: str
    """Empty for one of the table."""
    what: str
    found: float | None
    limit: float
    sentence: str


class DatabaseDifference(Strict):
    """What changed from the old to the new database."""

    version: Literal[1] = 1
    new: SideFacts
    old: SideFacts
    radius_arcsec: float
    match: Literal["auto", "key", "position"]
    tables_added: list[str]
    tables_removed: list[str]
    tables: list[TableDifference]
    """Directors first."""
    violations: list[Violation]
    """Thresholds that were not kept; empty without a file of thresholds."""

    @property
    def is_equal(self) -> bool:
        """All rows and columns are the same."""
        return not self.tables_added and not self.tables_removed and all(map(is_table_equal, self.tables))


def is_table_equal(table: TableDifference) -> bool:
    """Nothing was found to differ."""
    if table.columns_added or table.columns_removed or table.rows_old != table.rows_new or table.changed:
        return False
    if table.content is not None:
        return table.content.is_equal is True
    found = table.objects
    return found is not None and found.matched == table.rows_old == table.rows_new and not found.split
