"""Tables that clients bring: an ingest of one file each, into databases of their own.

Rules: a table appears whole or not at all: what fails is undone before the error is told. Its database is of the family
of the catalogs that there are, so that both can be joined.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import yaml

import skyshard
from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.catalog.layout import Layout, Role
from skyshard.cli.serving.ingests import undo_ingest
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.serve.services import TextMarks, UserTable

LAYOUT = "qserv-340-3"
"""Of databases that come before any catalog."""
CHECKED = "user_unique_"
"""How databases begin that are there while rows are looked at; a user may drop one that a killed process left."""
NUMBER = "qserv_id"
"""The key that rows of a director get that has none."""


class TestbedUserTables:
    """``UserTables`` of a testbed."""

    __test__ = False

    def __init__(self, testbed: skyshard.Testbed) -> None:
        self._testbed = testbed

    def add(self, table: UserTable) -> None:
        published = self._testbed.registry.published
        names = published.databases()
        known = published.catalog(table.database) if table.database in names else None
        if known is not None and table.name.lower() in {name.lower() for name in known.tables}:
            raise UserError(f"there is a table {table.database}.{table.name}", remedy="drop it, or choose another name")
        layout = known.layout if known is not None else self._layout_for(table)
        if table.is_director and not table.key:
            table = numbered(table)
        self._require_unique(table)
        self._ingest(table, layout)
        try:
            self._add_unique(table)
        except SkyshardError as error:  # a name that a key of a partitioned table has, or a node is down
            try:
                self._take_back(table, is_alone=known is None)
            except ClusterError:
                what = f"{error.what}; {table.database}.{table.name} is there without its unique indexes"
                kind = UserError if isinstance(error, UserError) else ClusterError
                raise kind(what, remedy=error.remedy) from None
            raise

    def _take_back(self, table: UserTable, *, is_alone: bool) -> None:
        if is_alone:
            self._testbed.drop(table.database)
        else:
            self._testbed.drop_table(table.database, table.name)

    def _add_unique(self, table: UserTable) -> None:
        for name, columns in table.unique.items():
            self._testbed.add_index(table.database, table.name, name, columns, unique=True, grace_s=0.0)

    def _require_unique(self, table: UserTable) -> None:
        """Before anything of a table is there its rows are looked at, as a regular table of a database of their own:
        what differs is a matter of collations.

        Raises:
            UserError: rows have the same values of a unique index, or it cannot be made.
        """
        if not table.unique:
            return
        own = f"{CHECKED}{uuid.uuid4().hex[:12]}"
        rows = UserTable(own, table.name, table.columns, table.rows, table.marks, table.indexes, unique=table.unique)
        try:
            self._ingest(rows, None)
            self._add_unique(rows)
        except UserError as error:
            raise UserError(error.what.replace(own, table.database), remedy=error.remedy) from None
        finally:
            with contextlib.suppress(UserError):  # it was not made
                self._testbed.drop(own)

    def _ingest(self, table: UserTable, layout: Layout | None) -> None:
        mapping = table.rows.with_name("mapping.yaml")
        mapping.write_text(yaml.safe_dump(mapping_of(table, layout), sort_keys=False))
        try:
            self._testbed.ingest(mapping, database=table.database, runtime="inline")
        except BaseException as error:
            undo_ingest(self._testbed, table.database)
            if isinstance(error, UserError):
                raise UserError(_without_paths(error.what, table), remedy=error.remedy) from None
            raise

    def _layout_for(self, table: UserTable) -> Layout | None:
        """The layout of the director, else that of the catalog that was ingested last; None where there is none."""
        published = self._testbed.registry.published
        if table.director is not None:
            return published.catalog(table.director[0]).layout
        return latest_layout(published.databases(), published.catalog)

    def drop_table(self, database: str, table: str) -> None:
        self._testbed.drop_table(database, table)

    def drop_database(self, database: str) -> None:
        self._testbed.drop(database)


def latest_layout(names: Iterable[str], catalog_of: Callable[[str], Catalog]) -> Layout | None:
    """The layout of the catalog that was ingested last; None where there is none.

    Databases in which rows are looked at are passed over: they have no family of their own, and may go any moment.
    """
    kept = [catalog_of(name) for name in names if not name.startswith(CHECKED)]
    return max(kept, key=lambda one: one.transaction).layout if kept else None


def mapping_of(table: UserTable, layout: Layout | None) -> dict[str, Any]:
    """The mapping file of a table, whose rows are beside it."""
    striping = {"layout": LAYOUT} if layout is None else {"striping": layout.striping.model_dump()}
    declared = [_declared(name, kind) for name, kind in table.columns.items()]
    marks = table.marks
    text = {
        "separator": marks.separator, "quote": marks.quote, "escape": marks.escape, "charset": marks.charset,
        "null_text": marks.null, "null_word": marks.null_word, "header": False, "fields": list(table.columns),
    }  # fmt: skip
    content: dict[str, Any] = {"files": [table.rows.name], "format": "text", "text": text, "declare": declared}
    content |= {"indexes": [list(columns) for columns in table.indexes], **_role(table)}
    return {"version": 1, "database": table.database, **striping, "tables": {table.name: content}}


def _role(table: UserTable) -> dict[str, Any]:
    if table.is_director and table.position is not None:
        return {"role": str(Role.DIRECTOR), "key": table.key, "position": list(table.position)}
    if table.director is not None:
        database, name = table.director
        director = name if database == table.database else f"{database}.{name}"
        return {"role": str(Role.DEPENDENT), "key": table.key, "director": director, "orphans": "refuse"}
    return {"role": str(Role.REGULAR)}


def _declared(name: str, kind: str) -> Mapping[str, Any]:
    """A column, whose type may say whether it takes NULL."""
    words = kind.lower()
    for ending, is_nullable in ((" default null", True), (" not null", False), (" null", True)):
        if words.endswith(ending):
            return {"name": name, "type": kind[: -len(ending)].strip(), "nullable": is_nullable}
    return {"name": name, "type": kind}


def numbered(table: UserTable) -> UserTable:
    """The table with a key in front that numbers its rows from 1.

    Raises:
        UserError: texts with escaped characters, which would have to be understood for that.
    """
    marks = table.marks
    parsed = pyarrow.csv.ParseOptions(
        delimiter=marks.separator, quote_char=marks.quote or False, newlines_in_values=bool(marks.quote)
    )
    read = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(table.columns, pa.string()), strings_can_be_null=True, check_utf8=False,
        null_values=[marks.null, *(["NULL"] if marks.null_word else [])], quoted_strings_can_be_null=False,
    )  # fmt: skip
    options = pyarrow.csv.ReadOptions(column_names=list(table.columns))
    try:
        rows = pyarrow.csv.read_csv(table.rows, options, parsed, read)
    except pa.ArrowInvalid as error:
        raise UserError(f"the rows cannot be numbered: {str(error)[:200]}", remedy="give id_col_name") from None
    if marks.escape and any(_has(column, marks.escape) for column in rows.columns):
        raise UserError("rows with escaped characters cannot be numbered", remedy="give id_col_name")
    rows = rows.add_column(0, NUMBER, pa.array(range(1, rows.num_rows + 1), pa.int64()))
    path = table.rows.with_name("numbered.csv")
    pyarrow.csv.write_csv(rows, path, pyarrow.csv.WriteOptions(include_header=False))
    return _numbered(table, path)


def _has(column: pa.ChunkedArray, mark: str) -> bool:
    return bool(pc.any(pc.match_substring(column, mark)).as_py())


def _numbered(table: UserTable, path: Path) -> UserTable:
    columns = {NUMBER: "bigint unsigned not null", **table.columns}
    return replace(table, key=NUMBER, columns=columns, rows=path, marks=TextMarks(",", '"', "", "utf8", null=""))


def _without_paths(words: str, table: UserTable) -> str:
    """An error without the place of the file that was brought."""
    return words.replace(f"{table.rows.parent}/", "")
