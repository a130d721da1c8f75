"""The index file of a fixed-format MyISAM table, made from its records: byte for byte what REPAIR TABLE makes.

Rules: only indexes over NOT NULL integer columns are made here, the server makes all others. The columns of an index
and their offsets are read from the table's own empty index file, and nothing is guessed: a header that is not
understood to its last byte means that no index is made here. No I/O. The server sorts keys by calls of a comparison,
which takes two thirds of a REPAIR; here keys are sorted as numbers.

The file: a header (state, constants, keys, columns; all numbers high byte first), then pages of keys. A page holds
keys in order, each with the number of its record; a page above others also the pages between its keys. Pages are
filled from the left; the key that does not fit moves up. Derived from files that MariaDB 10.11 wrote, and from
the description in the server's `storage/myisam` (mi_open.c: the header; sort.c, mi_check.c: how pages are filled).
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyshard.rowimage.record import Records, bytes_at

_MAGIC = b"\xfe\xfe\x07\x01"
_CHANGED_AT, _RECORDS_AT, _SPLIT_AT, _KEY_LENGTH_AT, _ROOTS_AT = 26, 28, 44, 60, 124
_STATE_TAIL, _BASE_LENGTH, _KEY_LENGTH, _COLUMN_LENGTH = 52, 100, 12, 18
_PAGE_UNIT = 1024
"""What page numbers count, whatever a page's length."""
_NOT_SORTED = 32
"""Set by REPAIR: pages are in the file in the order in which they were filled."""
_NODE = 0x8000
"""Set in the length of a page that has pages below it."""
_NUMBERS = {3: "i2", 4: "i4", 8: "u2", 9: "u4", 10: "i8", 11: "u8", 14: "i1"}
"""Key types (`ha_base_keytype`) that are plain integers, and how records hold them."""
_FEWEST_NUMBER_BYTES = 4
_UNIQUE, _SWAPPED = 1, 64
_BTREE = (0, 1)
_LAST = np.iinfo(np.int64).max

Pages = NDArray[np.uint8]


class DuplicateKey(ValueError):
    """Two records, ``rows``, have one key of a unique index: ``values`` by where its columns lie in a record."""

    def __init__(self, values: dict[int, int], rows: tuple[int, int]) -> None:
        super().__init__(f"key {tuple(values.values())} occurs twice")
        self.values = values
        self.rows = rows


@dataclass(frozen=True, slots=True)
class _IndexColumn:
    """A column of an index: its offset in a record, and its number type."""

    offset: int
    number: str


@dataclass(frozen=True, slots=True)
class _Index:
    """One index of a table: its columns in order, the length of its pages."""

    columns: tuple[_IndexColumn, ...]
    is_unique: bool
    page: int


@dataclass(frozen=True, eq=False, slots=True)
class IndexImage:
    """The empty index file of a table and what it says of the table's indexes."""

    header: bytes
    length: int
    """Bytes of a record."""
    pointer: int
    """Bytes of a record's number in a page."""
    link: int
    """Bytes of a page's number in a page."""
    state: int
    """Bytes of the state, which the file begins with."""
    indexes: tuple[_Index, ...]

    @staticmethod
    @lru_cache(maxsize=64)
    def of(empty: bytes) -> IndexImage | None:
        """Read the index file of an empty table; None if it has an index that only the server can make."""
        try:
            return _read(empty)
        except struct.error:
            return None

    def has_shape_of(self, file: bytes) -> bool:
        """True for the index file of a table with the same indexes: equal constants, keys and columns."""
        return file[self.state : len(self.header)] == self.header[self.state :]

    def fill(self, records: Records) -> list[memoryview]:
        """The index file of a table with these records, at least one, none of them deleted: its pieces in order.

        Raises:
            DuplicateKey: two records share the key of a unique index.
        """
        roots, parts, pages = [], [], []
        end = len(self.header)
        for index in self.indexes:
            keys, distinct = self._sorted_keys(index, records)
            made, root = _tree(keys, index.page, self.link, end)
            roots.append(root)
            parts += [max((len(records) + count // 2) // count, 1) for count in distinct]
            pages.append(made.data)
            end += made.size
        return [self._header(len(records), end, roots, parts).data, *pages]

    def _header(self, rows: int, end: int, roots: Sequence[int], parts: Sequence[int]) -> Pages:
        """The header of a file of ``end`` bytes: the indexes' roots, and how many rows share the values of a key."""
        file = bytearray(self.header)
        file[_CHANGED_AT] |= _NOT_SORTED
        for place in (_RECORDS_AT, _SPLIT_AT):
            struct.pack_into(">Q", file, place, rows)
        struct.pack_into(">QQ", file, _KEY_LENGTH_AT, end, rows * self.length)
        struct.pack_into(f">{len(roots)}Q", file, _ROOTS_AT, *roots)
        struct.pack_into(f">Q{len(parts)}I", file, self.state - 4 * len(parts) - 8, rows, *parts)
        return np.frombuffer(file, np.uint8)

    def _sorted_keys(self, index: _Index, records: Records) -> tuple[Pages, list[int]]:
        """Entries of the leaves in order, uint8[rows, bytes], and how many values the first 1, 2 ... columns have."""
        values = [np.ascontiguousarray(bytes_at(records, c.offset, f"<{c.number}")) for c in index.columns]
        order = np.argsort(values[0], kind="stable") if len(values) == 1 else np.lexsort(values[::-1])
        values = [value[order] for value in values]
        differs, distinct = np.zeros(max(len(order) - 1, 0), bool), []
        for value in values:
            differs |= value[1:] != value[:-1]
            distinct.append(int(np.count_nonzero(differs)) + 1)
        if index.is_unique and distinct[-1] < len(order):
            at = int(np.flatnonzero(~differs)[0])
            named = {column.offset: int(value[at]) for column, value in zip(index.columns, values, strict=True)}
            raise DuplicateKey(named, (int(order[at]), int(order[at + 1])))
        return _entries([*values, order], [*(v.itemsize for v in values), self.pointer]), distinct


def _entries(numbers: Sequence[NDArray[Any]], widths: Sequence[int]) -> Pages:
    """Numbers side by side, high byte first; those of another width than their own are counts below 2^32."""
    width = sum(widths)
    entries = np.zeros((len(numbers[0]), width), np.uint8)
    end = 0
    for number, bytes_each in zip(numbers, widths, strict=True):
        end += bytes_each
        kind = np.dtype(">u4") if bytes_each != number.itemsize else number.dtype.newbyteorder(">")
        np.ndarray((len(number),), kind, entries, end - kind.itemsize, (width,))[...] = number
    return entries


@dataclass(frozen=True, eq=False, slots=True)
class _Level:
    """The pages of one height: the full ones, then the last, with how many keys they take.

    ``written`` is, for each page, the number of the leaf after which it is written; ``_LAST`` for the last page.
    """

    keys: Pages
    pages: Pages
    capacity: int
    written: NDArray[np.int64]

    @staticmethod
    def of(keys: Pages, page: int, link: int, below: _Level | None) -> _Level:
        """Fill pages of ``page`` bytes with the keys, each behind ``link`` bytes that are left empty."""
        count, width = keys.shape
        entry = link + width
        capacity = (page - 2 - link) // entry
        full = (count - 1) // capacity
        pages = np.zeros((full + 1, page), np.uint8)
        cells = np.ndarray((full + 1, capacity, width), np.uint8, pages, 2 + link, (page, entry, 1))
        cells[:full, :-1] = keys[: full * capacity].reshape(full, capacity, width)[:, :-1]
        cells[full, : count - full * capacity] = keys[full * capacity :]
        used = np.full(full + 1, capacity - 1)
        used[full] = count - full * capacity
        lengths = (2 + link + used * entry + (_NODE if link else 0)).astype(">u2")
        pages[:, :2] = lengths.view(np.uint8).reshape(-1, 2)
        leaves = np.arange(full) if below is None else below.written[np.arange(1, full + 1) * capacity]
        return _Level(keys, pages, capacity, np.append(leaves, _LAST))

    @property
    def separators(self) -> Pages:
        """The keys between pages, which move up."""
        return self.keys[self.capacity - 1 :: self.capacity][: len(self.pages) - 1]

    def link(self, numbers: NDArray[np.uint64], link: int) -> None:
        """Write the numbers of the pages below, one more than keys."""
        page, entry = self.pages.shape[1], link + self.keys.shape[1]
        cells = np.ndarray((len(self.pages), self.capacity + 1, link), np.uint8, self.pages, 2, (page, entry, 1))
        linked, full = _entries([numbers], [link]), len(self.pages) - 1
        cells[:full, :-1] = linked[: full * self.capacity].reshape(full, self.capacity, link)
        cells[full, : len(linked) - full * self.capacity] = linked[full * self.capacity :]


def _tree(keys: Pages, page: int, link: int, start: int) -> tuple[Pages, int]:
    """All pages of an index in the order of the file, where they begin at byte ``start``, and the root's place."""
    levels = [_Level.of(keys, page, 0, None)]
    while len(levels[-1].pages) > 1:
        levels.append(_Level.of(levels[-1].separators, page, link, levels[-1]))
    heights = np.repeat(np.arange(len(levels)), [len(level.pages) for level in levels])
    order = np.lexsort((heights, np.concatenate([level.written for level in levels])))
    places = np.empty(len(order), np.uint64)
    places[order] = start + page * np.arange(len(order), dtype=np.uint64)
    first = 0
    for below, above in itertools.pairwise(levels):
        above.link(places[first : first + len(below.pages)] // np.uint64(_PAGE_UNIT), link)
        first += len(below.pages)
    return np.concatenate([level.pages for level in levels])[order], int(places[-1])


def _read(empty: bytes) -> IndexImage | None:
    """Raises:
    struct.error: the file is shorter than it says.
    """
    state, key_parts = struct.unpack_from(">HH", empty, 12)
    count, uniques, _, blocks = struct.unpack_from("BBBB", empty, 18)
    (records, length) = struct.unpack_from(">Q", empty, _RECORDS_AT) + struct.unpack_from(">Q", empty, _KEY_LENGTH_AT)
    known_state = _ROOTS_AT + 8 * count + 8 * blocks + _STATE_TAIL + 4 * key_parts
    if empty[:4] != _MAGIC or (records, uniques, length) != (0, 0, len(empty)) or state != known_state:
        return None
    (record,) = struct.unpack_from(">I", empty, state + 48)
    pointer, link, keys = struct.unpack_from("BBB", empty, state + 72)
    if keys != count or (count and min(pointer, link) < _FEWEST_NUMBER_BYTES):
        return None
    at, indexes = state + _BASE_LENGTH, []
    for _ in range(count):
        parts, algorithm, flag, page = struct.unpack_from(">BBHH", empty, at)
        at += _KEY_LENGTH
        columns = [_column(empty, at + _COLUMN_LENGTH * part) for part in range(parts)]
        at += _COLUMN_LENGTH * parts
        if algorithm not in _BTREE or flag & ~_UNIQUE or None in columns:
            return None
        indexes.append(_Index(tuple(c for c in columns if c is not None), bool(flag & _UNIQUE), page))
    return IndexImage(empty, record, pointer, link, state, tuple(indexes))


def _column(empty: bytes, at: int) -> _IndexColumn | None:
    """A column of an index; None unless it is a plain integer that is never NULL."""
    kind, _, null_bit, _, _, _, flag, length, offset, _ = struct.unpack_from(">BBBBBBHHII", empty, at)
    number = _NUMBERS.get(kind)
    if number is None or null_bit or flag & ~_SWAPPED or np.dtype(number).itemsize != length:
        return None
    return _IndexColumn(offset, number)
