"""Names and CREATE TABLE texts of physical tables: chunk tables, overlap tables, prototypes, whole tables.

Text only, no I/O.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

from skyshard.catalog.engines import MYISAM, TableEngine
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import SUB_CHUNK_COLUMN, Column, Key, Table
from skyshard.chunking import DUMMY_CHUNK
from skyshard.db.connection import quote_name, quote_text

__all__ = ["DUMMY_CHUNK", "chunk_table", "create_table", "overlap_prototype", "physical_name", "stored_table"]

LONGEST_KEY_NAME = 60
CHARSET = "latin1"
"""Character set of stored text unless a layout says otherwise: one byte a character, as Qserv stores it."""


def overlap_prototype(table: str) -> str:
    """Name of a director's overlap table without chunk number.

    >>> overlap_prototype("Object")
    'ObjectFullOverlap'
    """
    return f"{table}FullOverlap"


def chunk_table(table: str, chunk: int, *, overlap: bool = False) -> str:
    """Name of one chunk's table on a node, as Qserv names it.

    >>> chunk_table("Object", 6630), chunk_table("Object", 6630, overlap=True)
    ('Object_6630', 'ObjectFullOverlap_6630')
    """
    return f"{overlap_prototype(table) if overlap else table}_{chunk}"


def physical_name(table: str, chunk: int, *, is_overlap: bool = False, suffix: str = "") -> str:
    """Name of a table on a node; a negative chunk means a regular table, which is whole.

    >>> physical_name("Filter", -1), physical_name("Object", 7), physical_name("Object", 7, suffix=part_suffix(3))
    ('Filter', 'Object_7', 'Object_7_p3')
    """
    return (table if chunk < 0 else chunk_table(table, chunk, overlap=is_overlap)) + suffix


def part_suffix(part: int) -> str:
    """Suffix of the table with what one transaction added. Part 0 has the table's first rows, under its plain name."""
    return f"_p{part}" if part else ""


def shown_suffix(parts: Sequence[int]) -> str:
    """Suffix of the name that queries read for these parts: the only part, or a MERGE table over all of them.

    >>> shown_suffix([0]), shown_suffix([0, 3, 7])
    ('', '_g7')
    """
    return f"_g{max(parts)}" if len(parts) > 1 else part_suffix(parts[0]) if parts else ""


def create_merge_table(table: Table, name: str, parts: Sequence[str], *, engine: str = MYISAM.name) -> str:
    """Text of the table that shows all parts as one: MERGE over MyISAM, a view over other engines."""
    if engine == MYISAM.name:
        union = ", ".join(map(quote_name, parts))
        text = create_table(
            table, name, engine=TableEngine("MRG_MyISAM"), unique=False
        )  # two parts may have the same value
        return f"{text} ROW_FORMAT={'DYNAMIC' if table.has_blob else 'FIXED'} UNION=({union}) INSERT_METHOD=NO"
    return f"CREATE VIEW {quote_name(name)} AS " + " UNION ALL ".join(f"SELECT * FROM {quote_name(p)}" for p in parts)


def stored_table(table: Table, layout: TableLayout, *, overlap: bool = False) -> Table:
    """The table as nodes store it: chunk columns for chunked roles, and the indexes that queries need.

    A director gets a primary key on its key column (a plain key where several rows may have one, and in overlap tables,
    where one row may be in several sub-chunks) and a unique one on another primary key that it has, a dependent a key
    on its director key; chunked tables get a key on the sub-chunk.
    """
    if not layout.role.is_chunked:
        return Table(table.name, table.columns, table.primary_key, _named(table.keys, layout, table.primary_key))
    full = table.with_chunk_columns()
    primary, keys = table.primary_key, list(table.keys)
    if layout.role is Role.DIRECTOR:
        if layout.key:
            primary, keys = _director_keys(full, layout)
        keys.append(Key(SUB_CHUNK_COLUMN, (SUB_CHUNK_COLUMN,)))
    else:
        followed = [full.column(name).name for name in (layout.key, layout.key2) if name]
        keys += [Key(f"{name}_director", (name,)) for name in followed]
    if overlap:
        keys = [Key(key.name, key.columns) for key in keys]
        if primary:
            keys.append(Key("primary_key", primary))
        named = [replace(key, is_unique=False) for key in _named(keys, layout, ())]
        return Table(overlap_prototype(table.name), full.columns, (), tuple(named))
    return Table(table.name, full.columns, primary, _named(keys, layout, primary))


def _director_keys(table: Table, layout: TableLayout) -> tuple[tuple[str, ...], list[Key]]:
    """A director's primary key and its other keys. A key that the layout allows to repeat is not unique, whatever the
    schema says.

    A table has one primary key, so another one that the schema declares becomes a unique key.
    """
    key = (table.column(layout.key).name,)
    declared = tuple(name.lower() for name in table.primary_key)
    is_other = bool(declared) and declared != (key[0].lower(),)
    if layout.unique_key:
        other = [Key("declared_key", table.primary_key, is_unique=True)] if is_other else []
        return key, [*other, *table.keys]
    others = [replace(one, is_unique=one.is_unique and one.columns != key) for one in table.keys]
    return table.primary_key if is_other else (), [*others, Key("director_key", key)]


def _named(keys: Iterable[Key], layout: TableLayout, primary: Sequence[str]) -> tuple[Key, ...]:
    """Add the layout's indexes, dropping those whose columns are indexed already; each gets a name of its own. Those by
    name are not made of the primary key either."""
    result: list[Key] = []
    taken = {"primary"}
    extra = [Key("_".join(columns)[:60], tuple(columns)) for columns in layout.indexes]
    unique = layout.unique_indexes
    named = [Key(name, tuple(columns), name in unique) for name, columns in layout.named_indexes.items()]
    extra += [key for key in named if _lowered(key.columns) != _lowered(primary)]
    for key in [*keys, *extra]:
        if all(_lowered(other.columns) != _lowered(key.columns) for other in result):
            result.append(replace(key, name=_free_name(key.name, taken)))
    return tuple(result)


def _lowered(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.lower() for name in columns)


def _free_name(name: str, taken: set[str]) -> str:
    """The name, with a number if it is taken or too long. Names of indexes ignore case."""
    free = name = name[:LONGEST_KEY_NAME]
    numbers = itertools.count(2)
    while free.lower() in taken:
        free = f"{name}_{next(numbers)}"
    taken.add(free.lower())
    return free


def create_table(
    table: Table,
    name: str,
    *,
    engine: TableEngine = MYISAM,
    charset: str = CHARSET,
    keys: bool = True,
    unique: bool = True,
) -> str:
    """CREATE TABLE text for a stored table under a physical name; without ``unique`` none of its keys is unique."""
    lines = [_column_line(column) for column in table]
    if keys:
        comment = f" COMMENT {quote_text(engine.key_comment)}" if engine.key_comment else ""
        lines += [line + comment for line in (_key_lines(table) if unique else _plain_key_lines(table))]
    options = f"ENGINE={engine.sql_name} DEFAULT CHARSET={charset}{engine.options(has_blob=table.has_blob)}"
    return f"CREATE TABLE {quote_name(name)} (\n  " + ",\n  ".join(lines) + f"\n) {options}"


def _column_line(column: Column) -> str:
    nullability = "NULL" if column.is_nullable else "NOT NULL"
    default = f" DEFAULT {column.default}" if column.default is not None else ""
    if column.type.base == "timestamp" and not default:
        default = " DEFAULT NULL" if column.is_nullable else " DEFAULT '0000-00-00 00:00:00'"
    return f"{quote_name(column.name)} {column.type.text} {nullability}{default}"


def _key_lines(table: Table) -> list[str]:
    lines = [f"PRIMARY KEY ({_columns(table.primary_key)})"] if table.primary_key else []
    keys = (f"{_kind(table, key)}KEY {quote_name(key.name)} ({_columns(key.columns)})" for key in table.keys)
    return [*lines, *keys]


def _kind(table: Table, key: Key) -> str:
    """What stands before KEY; an index of a GEOMETRY is a spatial one, as a plain one would not be used."""
    if _is_spatial(table, key):
        return "SPATIAL "
    return "UNIQUE " if key.is_unique else ""


def _is_spatial(table: Table, key: Key) -> bool:
    first = table.find(key.columns[0])
    return first is not None and first.type.base == "geometry"


def has_spatial_key(table: Table) -> bool:
    """Whether a table has an index of a GEOMETRY."""
    return any(_is_spatial(table, key) for key in table.keys)


def _plain_key_lines(table: Table) -> list[str]:
    """The same keys, none of them unique, in the order in which the server keeps those of the table."""
    nullable = {column.name for column in table if column.is_nullable}
    found = [Key("primary_key", table.primary_key, True)] if table.primary_key else []
    found += sorted(table.keys, key=lambda key: 0 if _is_strict(key, nullable) else 1 if key.is_unique else 2)
    taken = {"primary"}
    plain = [replace(key, name=_free_name(key.name, taken), is_unique=False) for key in found]
    return _key_lines(Table(table.name, table.columns, (), tuple(plain)))


def _is_strict(key: Key, nullable: set[str]) -> bool:
    return key.is_unique and not any(name.partition("(")[0] in nullable for name in key.columns)


def _columns(names: Sequence[str]) -> str:
    parts = []
    for name in names:
        head, bracket, length = name.partition("(")
        parts.append(quote_name(head) + bracket + length)
    return ", ".join(parts)
