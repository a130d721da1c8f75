"""What a segment says of itself: which rows of which chunk tables it holds, their digests, and figures of its blocks.

It is the metadata of the Arrow file: ``skyshard.columns`` is JSON with a version, ``skyshard.columns.blocks`` an Arrow
stream in base64. Pure values, no I/O.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column, Table
from skyshard.columns.block_figures import BlockFigures
from skyshard.rowimage.sqltype import parse_type

VERSION: Literal[1] = 1
KEY, BLOCKS_KEY = b"skyshard.columns", b"skyshard.columns.blocks"


class UnreadableSegment(Exception):
    """A file that is no whole segment, or one of a later release: it is not used, and can be made again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of one part of one chunk table: consecutive rows of a segment.

    ``digest`` is that of the part's whole rows, as the registry keeps it of a replica.
    """

    chunk: int
    part: int
    first_row: int
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class SegmentIndex:
    """The index of one segment."""

    table: str
    """The catalog's name of the table, also of its overlap tables."""
    is_overlap: bool
    columns: tuple[Column, ...]
    """Those that it holds, in the order of the table."""
    left_out: Mapping[str, str]
    """Columns of the table that it does not hold, and why."""
    pieces: tuple[Piece, ...]
    """In the order of their rows: by chunk, then by part."""
    batch_rows: tuple[int, ...]
    figures: BlockFigures

    @property
    def rows(self) -> int:
        return sum(self.batch_rows)

    @property
    def is_whole(self) -> bool:
        """Whether it holds all columns, so that the digests of rows can be taken of it."""
        return not self.left_out

    def holds(self, table: Table, names: Sequence[str]) -> bool:
        """Whether these columns are in it, with the names and types that the table gives them now."""
        mine = {column.name: (column.type.text, column.is_nullable) for column in self.columns}
        wanted = [table.column(name) for name in names]
        return all(mine.get(one.name) == (one.type.text, one.is_nullable) for one in wanted)

    def other_rows(self, digests: Mapping[tuple[str, int, bool, int], str]) -> str:
        """Which part it has other rows of than the registry, and which; empty for none.

        Args:
            digests: by table, chunk, overlap and part. What they lack may be of an ingest under way, or be gone.
        """
        for piece in self.pieces:
            known = digests.get((self.table, piece.chunk, self.is_overlap, piece.part), piece.digest)
            if known != piece.digest:
                return f"its rows of chunk {piece.chunk}, part {piece.part} have digest {piece.digest}, not {known}"
        return ""

    def without_figures(self) -> SegmentIndex:
        """The index for those who want to know which rows there are, not what is in them."""
        return replace(self, figures=BlockFigures.of((), len(self.columns)))

    def metadata(self) -> dict[bytes, bytes]:
        """As the metadata of the file's schema."""
        pieces = {name: [getattr(piece, name) for piece in self.pieces] for name in _Pieces.model_fields}
        head = _Head(
            version=VERSION,
            table=self.table,
            is_overlap=self.is_overlap,
            columns=[(one.name, one.type.text, one.is_nullable) for one in self.columns],
            left_out=dict(self.left_out),
            pieces=_Pieces(**pieces),
            batch_rows=list(self.batch_rows),
        )
        return {KEY: head.model_dump_json().encode(), BLOCKS_KEY: base64.b64encode(self.figures.written())}

    @staticmethod
    def of(metadata: Mapping[bytes, bytes] | None) -> SegmentIndex:
        """The inverse.

        Raises:
            UnreadableSegment: there is none, it is torn, or a later release wrote it.
        """
        if not metadata or KEY not in metadata or BLOCKS_KEY not in metadata:
            raise UnreadableSegment("it is no segment of column images")
        try:
            content = json.loads(metadata[KEY])
            if content.get("version") != VERSION:
                raise UnreadableSegment(f"its version is {content.get('version')}; this release reads {VERSION}")
            found = _Head.model_validate(content).index(BlockFigures.read(base64.b64decode(metadata[BLOCKS_KEY])))
        except (ValueError, UserError, pa.ArrowException) as error:  # a ValidationError is a ValueError
            raise UnreadableSegment(f"its index is damaged: {error}") from error
        shape = (len(found.batch_rows), len(found.columns))
        if found.rows != sum(piece.rows for piece in found.pieces) or found.figures.shape != shape:
            raise UnreadableSegment("its index does not fit together")
        return found


class _Pieces(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    chunk: list[int]
    part: list[int]
    rows: list[int]
    digest: list[str]


class _Head(BaseModel):
    """The JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    table: str
    is_overlap: bool
    columns: list[tuple[str, str, bool]]
    """Name, SQL type, whether it may be NULL."""
    left_out: dict[str, str]
    pieces: _Pieces
    batch_rows: list[int]

    def index(self, figures: BlockFigures) -> SegmentIndex:
        """The whole of it.

        Raises:
            ValueError, UserError: lists of different lengths, an unknown type.
        """
        listed = self.pieces
        firsts = np.cumsum([0, *listed.rows])[: len(listed.rows)].tolist()
        parted = zip(listed.chunk, listed.part, firsts, listed.rows, listed.digest, strict=True)
        return SegmentIndex(
            self.table,
            self.is_overlap,
            tuple(Column(name, parse_type(text), nullable) for name, text, nullable in self.columns),
            self.left_out,
            tuple(Piece(*one) for one in parted),
            tuple(self.batch_rows),
            figures,
        )


def schema_of(columns: Sequence[Column], metadata: Mapping[bytes, bytes] | None = None) -> pa.Schema:
    """The Arrow schema of a segment: each field says the SQL type that it stands for."""
    fields: list[Any] = [
        pa.field(one.name, one.type.arrow, one.is_nullable, metadata={b"sql": one.type.text.encode()})
        for one in columns
    ]
    return pa.schema(fields, metadata=dict(metadata) if metadata else None)
