"""Compares stored rows, and the cluster's answers, with what their generator knows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from skyshard.basics.errors import SkyshardError
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN, Table
from skyshard.ingest.on_nodes.bounded_futures import answer
from skyshard.ingest.on_nodes.part_tables import by_node, one_of_each
from skyshard.ingest.transaction.kept_truth import Known, KnownAnswer
from skyshard.node.messages import DigestOrder
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.records import WHOLE, Replica
from skyshard.rowimage.digest import RowDigest
from skyshard.runtime.base import Handle

_REL_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class VerifyCheck:
    """One check: what it is about, what was found, and whether that is right."""

    name: str
    is_good: bool
    found: str


@dataclass(frozen=True, slots=True)
class KnownRows:
    """Rows and digests of each chunk of each table, or of the whole, read again without chunk numbers."""

    known: Known
    definitions: Mapping[str, tuple[Table, TableLayout]]
    nodes: Mapping[str, Handle[NodeLoader]]

    def check(self, database: str, replicas: Sequence[Replica]) -> VerifyCheck:
        """One replica of every chunk table against the generator's digests, and of every overlap table."""
        tally = _Tally()
        for name, chunks in self.known.digests.items():
            found = self.found(database, name, replicas)
            if set(chunks) == {WHOLE}:
                found = {WHOLE: sum(found.values(), RowDigest())}
            tally.compare(name, "chunk", found, chunks)
        rows = tally.rows
        for name, chunks in self.known.overlap.items():
            tally.compare(name, "overlap of chunk", self.found(database, name, replicas, is_overlap=True), chunks)
        text = f"{tally.count - len(tally.wrong)} of {tally.count} digests equal, {rows} rows"
        text += f", {tally.rows - rows} in overlap" if tally.rows > rows else ""
        text += f"; {self.known.note}" if self.known.note else ""
        return VerifyCheck("generator's rows", not tally.wrong, text + tally.first)

    def found(
        self, database: str, name: str, replicas: Sequence[Replica], *, is_overlap: bool = False
    ) -> dict[int, RowDigest]:
        """By chunk, what is there now; a table that cannot be read has -1 rows."""
        table, layout = self.definitions[name]
        leave_out = (CHUNK_COLUMN, SUB_CHUNK_COLUMN) if layout.role.is_chunked else ()
        mine = one_of_each(name, replicas, is_overlap=is_overlap)
        calls = []
        for node, held in by_node(mine, sorted({replica.node for replica in mine})).items():
            names = tuple(one.name for one in held)
            order = DigestOrder(database, stored_table(table, layout, overlap=is_overlap), names, leave_out)
            calls.append((node, self.nodes[node].call(NodeLoader.digests, order)))
        scanned = {(node, one.name): one for node, call in calls for one in answer(node, call)}
        sums: dict[int, RowDigest] = {}
        for replica in mine:
            one = scanned[replica.node, replica.name]
            found = RowDigest.parse(one.digest) if one.digest else RowDigest(-1, 0)
            sums[replica.chunk] = sums.get(replica.chunk, RowDigest()) + found
        return sums


@dataclass(slots=True)
class _Tally:
    """What was compared so far."""

    wrong: list[str] = field(default_factory=list)
    rows: int = 0
    count: int = 0

    def compare(self, name: str, what: str, found: Mapping[int, RowDigest], known: Mapping[int, str]) -> None:
        """Digests that are there with known ones; a chunk without rows need not be there."""
        nothing = RowDigest()
        places = {chunk for chunk, one in found.items() if one.rows}
        places |= set(known)
        self.wrong += [
            f"{name}, {what} {chunk}" if chunk != WHOLE else f"{name} as a whole"
            for chunk in sorted(places)
            if str(found.get(chunk, nothing)) != known.get(chunk, str(nothing))
        ]
        self.count, self.rows = self.count + len(places), self.rows + sum(one.rows for one in found.values())

    @property
    def first(self) -> str:
        return f" (first: {self.wrong[0]})" if self.wrong else ""


def answer_check(known: Known, ask: Callable[[str], pa.Table]) -> VerifyCheck:
    """Every statement whose answer the generator knows, asked."""
    wrong = [reason for one in known.answers if (reason := _difference(one, ask))]
    text = f"{len(known.answers) - len(wrong)} of {len(known.answers)} statements answered as known"
    return VerifyCheck("generator's answers", not wrong, text + (f" (first: {wrong[0]})" if wrong else ""))


def _difference(one: KnownAnswer, ask: Callable[[str], pa.Table]) -> str:
    """Empty where the answer is right."""
    try:
        table = ask(one.sql)
    except SkyshardError as error:
        return f"{one.sql}: {error}"
    places = range(table.num_columns) if one.places is None else one.places
    found = sorted(zip(*(table.column(place).to_pylist() for place in places), strict=True), key=_key)
    wanted = sorted(one.rows, key=_key)
    is_equal = len(found) == len(wanted) and all(map(_are_equal, found, wanted))
    return "" if is_equal else f"{one.sql}: {found[:1]} where {wanted[:1]} is known"


def _key(row: Sequence[Any]) -> tuple[tuple[bool, float], ...]:
    return tuple((value is None, value or 0) for value in reversed(row))


def _are_equal(found: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return len(found) == len(wanted) and all(map(_is_value, found, wanted))


def _is_value(found: Any, wanted: Any) -> bool:
    """Floats within the tolerance, whole numbers and NULL as they are: a key has more digits than a float."""
    if isinstance(found, float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=_REL_TOLERANCE)
    return type(found) is type(wanted) and bool(found == wanted)
