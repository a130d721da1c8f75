"""Checks names against those of the servers, of Skyshard, and those made of other tables' names.

Rules: what is refused here is refused before anything is touched, by name, with the place to give another. No I/O.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import DUMMY_CHUNK, overlap_prototype, part_suffix, physical_name
from skyshard.catalog.layout import Role, Striping, TableLayout
from skyshard.catalog.schema import Table, is_chunk_column
from skyshard.db.connection import quote_name
from skyshard.db.quoting import MAX_NAME_CHARACTERS
from skyshard.registry.catalog.director_index import index_table_name

_TABLE = re.compile(r"[A-Za-z0-9_]+")
_LAST_TRANSACTION = 10**6 - 1
"""So long may a transaction's number grow before a table's name is too long for its part."""


def require_paths(paths: Iterable[str]) -> None:
    """Refuse files whose names the registry cannot keep.

    Raises:
        UserError: the first of them.
    """
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise UserError(f"the name of file {path!r} is not UTF-8", remedy="give the file another name") from None


def require_table(database: str, table: Table, layout: TableLayout, striping: Striping) -> None:
    """Refuse a table whose name or columns' names cannot be kept next to those that are made of them.

    Raises:
        UserError: names the table, and the column if it is one's.
    """
    name = table.name
    if not _TABLE.fullmatch(name):
        raise UserError(f"'{name}' is no usable table name", remedy="name the table with letters, digits and _ only")
    longest = max(_longest_names(database, name, layout.role, striping), key=len)
    if len(longest) > MAX_NAME_CHARACTERS:
        raise UserError(
            f"table '{name}': its parts would have names like '{longest}', of {len(longest)} characters, where the "
            f"server takes {MAX_NAME_CHARACTERS}",
            remedy=f"give it a name that is {len(longest) - MAX_NAME_CHARACTERS} characters shorter",
        )
    for column in table:
        _require_column(name, column.name, layout.role)


def _require_column(table: str, column: str, role: Role) -> None:
    where = f"table '{table}', column {column!r}"
    if role.is_chunked and is_chunk_column(column):
        raise UserError(
            f"{where}: {role} tables have a column of this name, with chunk numbers that positions give",
            remedy="give the column another name",
        )
    try:
        quote_name(column).encode("latin1")
    except UserError as error:
        raise UserError(f"{where}: no name that the server takes", remedy=error.remedy) from None
    except UnicodeEncodeError:
        raise UserError(f"{where}: a letter that is not in latin1", remedy="give the column another name") from None
    if not column.isprintable():
        raise UserError(f"{where}: a character that cannot be printed", remedy="give the column another name")


def _longest_names(database: str, table: str, role: Role, striping: Striping) -> list[str]:
    """The longest names of the tables that are made of one table."""
    part = part_suffix(_LAST_TRANSACTION)
    if not role.is_chunked:
        return [physical_name(table, -1, suffix=part)]
    is_director = role is Role.DIRECTOR
    last = 2 * striping.stripes**2
    names = [
        physical_name(table, last, is_overlap=is_director, suffix=part),
        physical_name(table, DUMMY_CHUNK, is_overlap=is_director),
    ]
    return [*names, index_table_name(database, table) + part] if is_director else names


def require_apart(layouts: Mapping[str, TableLayout]) -> None:
    """Refuse tables of a database of which one is called like a table that we make of another.

    Raises:
        UserError: names both.
    """
    for one, other in itertools.permutations(layouts, 2):
        made = _made_of(one, layouts[one].role, layouts[other].role)
        if made is not None and made.fullmatch(other):
            kind = "chunk tables" if layouts[one].role.is_chunked else "parts"
            raise UserError(
                f"table '{other}' has a name that {kind} of '{one}' have", remedy="give one of them another name"
            )


def _made_of(table: str, role: Role, other: Role) -> re.Pattern[str] | None:
    """Names of tables made of a table of one role that a table of another role could have, too.

    Parts and merge tables of whole tables and of director indexes end in their number, chunk tables have a chunk number
    besides, directors a prototype for overlap. Two chunked tables never meet on a node, but in overlap.
    """
    name, overlap = re.escape(table), re.escape(overlap_prototype(table))
    chunked, numbered = r"_[0-9]+(?:_[pg][0-9]+)?", r"_[pg][0-9]+"
    if not role.is_chunked:
        return re.compile(f"{name}{numbered}") if not other.is_chunked else None
    is_director = role is Role.DIRECTOR
    if not other.is_chunked:
        return re.compile(f"{name}{chunked}|{overlap}(?:{chunked})?" if is_director else f"{name}{chunked}")
    if is_director:
        return re.compile(f"{name}{numbered}|{overlap}" if other is Role.DIRECTOR else overlap)
    return None
