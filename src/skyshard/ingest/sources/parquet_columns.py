"""The columns that the files of one table have between them: types, files that lack one, lengths of texts.

Types come from footers of Parquet and headers of FITS. Values are read of text columns of Parquet only, for their
length, which FITS declares; ranges of whole numbers come from the footers' statistics, where it matters whether a
DOUBLE holds them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skyshard.basics.errors import UserError
from skyshard.db.charsets import codec_of
from skyshard.ingest.fits.table_rows import FITS, declared_length
from skyshard.ingest.sources.column_names import own_names, twin_names
from skyshard.ingest.sources.inferred_types import is_supported, plain_type, sql_type_text, widened
from skyshard.ingest.sources.parquet_files import broken_file
from skyshard.ingest.values.arrow_values import plain_array

_READERS = 8
_EXACT = 2**53
_TEXT_ROWS = 1 << 18


@dataclass(frozen=True, slots=True)
class InferredColumn:
    """One column of all files: its type as MariaDB spells it, and what is special about it."""

    name: str
    type: str
    is_nullable: bool
    arrow: pa.DataType
    lacking: int = 0
    """Files that do not have it."""
    kinds: tuple[str, ...] = ()
    """The types that files have it in, where they differ."""


@dataclass(frozen=True, slots=True)
class InferredColumns:
    """All columns, in the order of the first file that has each, and those that no column type takes."""

    columns: tuple[InferredColumn, ...]
    unsupported: Mapping[str, str] = field(default_factory=dict)
    """Name → its type in Parquet."""
    twins: tuple[str, ...] = ()
    """Names of which another differs in case only; the first one of them is in ``columns``."""

    def find(self, name: str) -> InferredColumn | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(slots=True)
class _Found:
    """What the footers say of one column."""

    kind: pa.DataType
    first: Path
    files: int = 0
    is_required: bool = True
    kinds: dict[str, Path] = field(default_factory=dict)


def infer_columns(
    where: str, files: Sequence[Path], schemas: Mapping[Path, pa.Schema], given: Collection[str] = ()
) -> InferredColumns:
    """Read the columns of a table off its files.

    Args:
        given: columns that are described elsewhere; they are left out.

    Raises:
        UserError: types of two files that none holds both of; names files and column. A file that cannot be read.
    """
    found: dict[str, _Found] = {}
    unsupported: dict[str, str] = {}
    spelled: dict[str, str] = {}
    twins: set[str] = set()
    for schema, paths in _alike(files, schemas):
        several, described = twin_names(schema.names), set(own_names(schema.names, given).values())
        for entry in schema:
            if entry.name in several.get(entry.name, ()) and entry.name not in described and _is_taken(entry):
                raise UserError(
                    f"{where}: '{paths[0]}' has column '{entry.name}' and another '{entry.name}'",
                    remedy="name each column once",
                )
            name = spelled.setdefault(entry.name.lower(), entry.name)
            if name != entry.name and entry.name in several:
                twins.add(entry.name)
            elif entry.name not in described:
                _add(where, entry.with_name(name), paths, schemas, found, unsupported)
    named = {name: column for name, column in found.items() if name not in unsupported}
    lengths = _text_lengths(files, schemas, [name for name, column in named.items() if _has_length(column.kind)])
    columns = tuple(_column(name, column, len(files), lengths) for name, column in named.items())
    return InferredColumns(columns, unsupported, tuple(sorted(twins)))


def _is_taken(entry: pa.Field) -> bool:
    return is_supported(plain_type(entry.type))


def _alike(files: Sequence[Path], schemas: Mapping[Path, pa.Schema]) -> list[tuple[pa.Schema, list[Path]]]:
    """The schemas that differ, and the files of each."""
    seen: list[tuple[pa.Schema, list[Path]]] = []
    for path in files:
        same = next((paths for schema, paths in seen if schema.equals(schemas[path])), None)
        if same is None:
            seen.append((schemas[path], [path]))
        else:
            same.append(path)
    return seen


def _has_length(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _add(
    where: str,
    entry: pa.Field,
    paths: Sequence[Path],
    schemas: Mapping[Path, pa.Schema],
    found: dict[str, _Found],
    unsupported: dict[str, str],
) -> None:
    kind = plain_type(entry.type)
    if not is_supported(kind):
        unsupported.setdefault(entry.name, str(entry.type))
        return
    known = found.setdefault(entry.name, _Found(kind, paths[0]))
    known.files += len(paths)
    known.is_required &= not entry.nullable
    known.kinds.setdefault(str(kind), paths[0])
    wide = widened(known.kind, kind, is_exact=False)
    if wide is None and _is_whole_and_float(known.kind, kind) and _is_exact(entry.name, schemas):
        wide = widened(known.kind, kind, is_exact=True)
    if wide is None:
        raise UserError(
            f"{where}: column '{entry.name}' is {known.kind} in '{known.first}' and {kind} in '{paths[0]}', and no "
            "type holds both",
            remedy="write both files alike, declare the column and set mixed_types: true, or omit it",
        )
    if not wide.equals(known.kind):
        known.kind, known.first = wide, paths[0]


def _is_whole_and_float(one: pa.DataType, other: pa.DataType) -> bool:
    return any(pa.types.is_integer(a) and pa.types.is_floating(b) for a, b in ((one, other), (other, one)))


def _is_exact(name: str, schemas: Mapping[Path, pa.Schema]) -> bool:
    """True where the statistics of every file with whole numbers show that a DOUBLE holds them."""
    return all(_within(path, schema, name) for path, schema in schemas.items())


def _within(path: Path, schema: pa.Schema, name: str) -> bool:
    if FITS in (schema.metadata or {}):
        own = own_names(schema.names, [name]).get(name)
        return own is None or not pa.types.is_integer(schema.field(own).type)
    with pq.ParquetFile(path) as file:
        own = own_names(file.schema_arrow.names, [name]).get(name, "")
        at = file.schema_arrow.get_field_index(own)
        if at < 0 or not pa.types.is_integer(plain_type(file.schema_arrow.field(at).type)):
            return True
        leaf = next(i for i in range(file.metadata.num_columns) if file.schema.column(i).path == own)
        for group in range(file.num_row_groups):
            chunk = file.metadata.row_group(group).column(leaf)
            statistics = chunk.statistics
            if statistics is not None and statistics.null_count == chunk.num_values:
                continue
            if statistics is None or not statistics.has_min_max:
                return False
            if not -_EXACT <= statistics.min <= statistics.max <= _EXACT:
                return False
    return True


def _column(name: str, found: _Found, files: int, lengths: Mapping[str, tuple[int, bool]]) -> InferredColumn:
    longest, is_latin1 = lengths.get(name, (0, True))
    lacking = files - found.files
    is_nullable = bool(lacking) or not found.is_required or pa.types.is_floating(found.kind)
    kinds = tuple(found.kinds) if len(found.kinds) > 1 else ()
    kind = sql_type_text(found.kind, longest, is_latin1=is_latin1)
    return InferredColumn(name, kind, is_nullable, found.kind, lacking, kinds)


# lengths of texts


def _text_lengths(
    files: Sequence[Path], schemas: Mapping[Path, pa.Schema], names: Sequence[str]
) -> dict[str, tuple[int, bool]]:
    """Of each text or bytes column the length of its longest value, and whether latin1 has all its characters."""
    longest = dict.fromkeys(names, 0)
    is_latin1 = dict.fromkeys(names, True)
    wanted = [(path, own_names(schemas[path].names, names)) for path in files]
    for path, own in [pair for pair in wanted if FITS in (schemas[pair[0]].metadata or {})]:
        for name, called in own.items():
            longest[name] = max(longest[name], declared_length(schemas[path].field(called)))
        wanted.remove((path, own))
    with ThreadPoolExecutor(_READERS) as readers:
        for found in readers.map(_file_lengths, [pair for pair in wanted if pair[1]]):
            for name, (length, is_one) in found.items():
                longest[name] = max(longest[name], length)
                is_latin1[name] &= is_one
    return {name: (longest[name], is_latin1[name]) for name in names}


def _file_lengths(wanted: tuple[Path, dict[str, str]]) -> dict[str, tuple[int, bool]]:
    path, own = wanted
    with contextlib.suppress(pa.ArrowException, OSError):  # texts of some encodings are not read as dictionaries
        return _read_lengths(path, own, is_coded=True)
    try:
        return _read_lengths(path, own, is_coded=False)
    except (pa.ArrowException, OSError) as error:
        raise broken_file(path, error) from None


def _read_lengths(path: Path, own: Mapping[str, str], *, is_coded: bool) -> dict[str, tuple[int, bool]]:
    """The same; values that are read as dictionaries are looked at once a batch."""
    names = list(own.values())
    found = dict.fromkeys(own, (0, True))
    with pq.ParquetFile(path, read_dictionary=names * is_coded, page_checksum_verification=True) as file:
        for batch in file.iter_batches(_TEXT_ROWS, columns=names, use_threads=False):
            for name in own:
                length, is_latin1 = _values_length(batch.column(own[name]))
                found[name] = max(found[name][0], length), found[name][1] and is_latin1
    return found


def _values_length(values: pa.Array) -> tuple[int, bool]:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary
    values = plain_array(values).drop_null()
    if not len(values):
        return 0, True
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        longest = int(pc.max(pc.utf8_length(values)).as_py())
        return longest, bool(pc.all(pc.string_is_ascii(values)).as_py()) or _is_latin1(values)
    return int(pc.max(pc.binary_length(values)).as_py()), True


def _is_latin1(values: pa.Array) -> bool:
    try:
        "".join(pc.unique(values).to_pylist()).encode(codec_of("latin1"))
    except UnicodeEncodeError:
        return False
    return True
