"""One table of two databases, from chunks to its difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from skyshard.chunking import Chunker
from skyshard.releases.differences.columns.column_tally import ColumnTally
from skyshard.releases.differences.compare_rows import ComparedPart, ComparedSides, compare_pairs, rows_at_once
from skyshard.releases.differences.difference import TableDifference
from skyshard.releases.differences.matching.fate_tally import FateTally, cell_of, signed_keys
from skyshard.releases.differences.matching.match_by_key import FREE, LASTING_SHARE, KeyMatch, Marks, match_by_key
from skyshard.releases.differences.matching.match_by_position import ZONE_ROWS, make_zones, marks_of, match_zones
from skyshard.releases.differences.matching.match_plan import MatchBy, MatchPlan, plan_match
from skyshard.releases.differences.matching.matched_pairs import MatchedPairs
from skyshard.releases.differences.outlines.group_counts import share_in_common
from skyshard.releases.differences.outlines.row_outlines import SideOutlines, read_outline
from skyshard.releases.differences.reading.spill_file import SpillFile
from skyshard.releases.differences.reading.stored_rows import StoredRows
from skyshard.releases.differences.reading.worker_threads import WorkerThreads
from skyshard.releases.differences.table_findings import Findings, content_difference, table_difference

SHARED_GROUPS = 0.5
"""Of the groups of the side with fewer, the share from which rows are looked for in their own group alone."""
PARTITION_ROWS = 2 << 20
"""Rows of a side whose keys are matched together."""


@dataclass(frozen=True, slots=True)
class TableSides:
    """A table in both databases."""

    old: StoredRows
    new: StoredRows
    chunker: Chunker
    """Of the new database: its chunks are the cells of the sky."""
    is_same_sky: bool
    """Both databases have one striping, so that equal rows are in equal chunks."""


class TableComparison:
    """Compares one table; ``run`` once."""

    def __init__(
        self, sides: TableSides, radius_arcsec: float, by: MatchBy, threads: WorkerThreads, spill: SpillFile
    ) -> None:
        self._sides = sides
        self._radius = radius_arcsec
        self._by = by
        self._threads = threads
        self._spill = spill
        self._name = sides.new.table.name

    def run(self, renamed: Mapping[str, str], *, lasting: bool = True) -> TableDifference:
        """The difference of the table.

        Args:
            renamed: new column → old column.
            lasting: keys of the director that the table follows last; else a key with them means nothing.

        Raises:
            UserError: the table cannot be matched as asked.
        """
        old, new = self._sides.old, self._sides.new
        plan = plan_match(old, new, renamed, self._by)
        why = _unmatchable(plan, new, lasting=lasting)
        if why and not plan.groups:
            return content_difference(old, new, plan, why, ([], []), is_same_sky=self._sides.is_same_sky)
        outlines = self._outlines(plan)
        findings = None if why else self._match(plan, outlines)
        if findings is not None and plan.is_guessed and _has_doubles(findings):
            why = f"it has no primary key, and {', '.join(key.name for _, key in plan.keys)} is not unique"
        if findings is None or why:
            groups = outlines[0].groups, outlines[1].groups
            return content_difference(old, new, plan, why, groups, is_same_sky=self._sides.is_same_sky)
        self._compare(plan, findings)
        return table_difference(old, new, plan, findings, self._sides.chunker, self._spill)

    def _outlines(self, plan: MatchPlan) -> tuple[SideOutlines, SideOutlines]:
        partitions = max(1, -(-max(self._sides.old.rows, self._sides.new.rows) // PARTITION_ROWS))
        sides = SideOutlines(plan.old, partitions), SideOutlines(plan.new, partitions)
        for side, rows in zip(sides, (self._sides.old, self._sides.new), strict=True):
            calls = [partial(read_outline, rows, chunk, side.columns, partitions, self._spill) for chunk in rows.chunks]
            counts = [chunk.rows for chunk in rows.chunks.values()]
            for found in self._threads.run(f"read {rows.database}.{self._name}", calls, counts):
                side.add(found)
        return sides

    def _match(self, plan: MatchPlan, outlines: tuple[SideOutlines, SideOutlines]) -> Findings:
        old, new = outlines
        rows = _chunk_rows(self._sides.old), _chunk_rows(self._sides.new)
        unsigned = bool(plan.keys) and plan.keys[0][0].type.is_unsigned
        tally = FateTally(signed_keys(plan.new.codings, is_unsigned=unsigned))
        keys = self._match_keys(plan, outlines, rows)
        how, why = self._decide(plan, keys)
        pairs, marks = MatchedPairs(self._spill), (_free(rows[0]), _free(rows[1]))
        if how == "key" and keys is not None:
            pairs, marks = keys.pairs, (keys.old, keys.new)
        findings = Findings(how, why, keys, pairs, marks, tally, (old.groups, new.groups))
        findings.by_key = pairs.count
        if plan.is_placed:
            findings.within = self._within(plan, outlines)
            if findings.within:
                findings.why += f"; by position only rows of one {' and '.join(findings.within)}"
            self._match_positions(outlines, findings)
        else:
            for side, is_old in ((0, True), (1, False)):
                for block in outlines[side].blocks(self._spill):
                    tally.add_marked(block, marks_of(block, marks[side]), is_old=is_old)
        return findings

    def _match_keys(
        self, plan: MatchPlan, outlines: tuple[SideOutlines, SideOutlines], rows: tuple[dict[int, int], dict[int, int]]
    ) -> KeyMatch | None:
        if not plan.keys or (plan.is_placed and self._by == "position"):
            return None
        return match_by_key(*outlines, rows, self._spill, self._radius)

    def _decide(self, plan: MatchPlan, keys: KeyMatch | None) -> tuple[Literal["key", "position"], str]:
        """Whether keys are used, and why."""
        if keys is not None and not plan.is_placed:
            names = ", ".join(key.name for _, key in plan.keys)
            return "key", f"its {names} is unique" if plan.is_guessed else "it has a primary key"
        if keys is None or self._by == "position":
            return "position", "asked for" if self._by == "position" else "there is no common key"
        if self._by == "key":
            return "key", "asked for"
        told = f"{keys.near_share:.1%} of {keys.equal:,} equal keys are within {self._radius:g} arcseconds"
        if not keys.equal:
            return "position", "no key is in both"
        lasts = keys.near_share >= LASTING_SHARE
        return ("key", f"keys last: {told}") if lasts else ("position", f"keys do not last: {told}")

    @staticmethod
    def _within(plan: MatchPlan, outlines: tuple[SideOutlines, SideOutlines]) -> tuple[str, ...]:
        """The grouping within which positions are compared, if most of its groups are on both sides."""
        if not plan.within:
            return ()
        place = plan.groups.index(plan.within)
        shared = share_in_common(*(side.groups[place] for side in outlines))
        return plan.within if shared >= SHARED_GROUPS else ()

    def _match_positions(self, outlines: tuple[SideOutlines, SideOutlines], findings: Findings) -> None:
        """Rows that are left over, by position; and how many rows are in each cell of the sky."""
        chunker, tally = self._sides.chunker, findings.tally
        for side, name in zip(outlines, ("old", "new"), strict=True):
            for block in side.blocks(self._spill):
                tally.count_cells(cell_of(block["ra"], block["dec"], chunker), name)
        if not any((marks == FREE).any() for side in findings.marks for marks in side.values()):
            return
        zones = make_zones(*outlines, self._radius, ZONE_ROWS)
        zones.is_grouped = findings.within != ()
        calls = list(match_zones(outlines, findings.marks, self._radius, self._spill, zones))
        each = (self._sides.old.rows + self._sides.new.rows) // len(calls)
        for found in self._threads.run(f"match {self._name}", calls, [each] * len(calls)):
            tally.add(found, chunker)
            findings.pairs.add(*found.matched)

    def _compare(self, plan: MatchPlan, findings: Findings) -> None:
        old, new = self._sides.old, self._sides.new
        findings.columns = [ColumnTally(column) for column in plan.pairing.compared]
        position = new.layout.position if plan.is_placed else None
        keys_old, keys_new = (tuple(pair[side].name for pair in plan.keys) for side in range(2))
        sides = ComparedSides(old, new, plan.pairing.compared, keys_old, keys_new, position)
        batches = findings.pairs.batches(rows_at_once(len(sides.columns)))
        calls = [partial(self._compare_batch, sides, findings.pairs, chunks) for chunks, _ in batches]
        for parts in self._threads.run(f"compare {self._name}", calls, [count for _, count in batches]):
            for part in parts:
                self._add(part, findings)

    def _compare_batch(self, sides: ComparedSides, pairs: MatchedPairs, chunks: Sequence[int]) -> list[ComparedPart]:
        return list(compare_pairs(sides, pairs.of_chunks(chunks), self._spill))

    def _add(self, part: ComparedPart, findings: Findings) -> None:
        for tally, column in zip(findings.columns, part.columns, strict=True):
            tally.add(column)
        findings.changed += int(part.changed.sum())
        if part.positions is not None:
            cells = cell_of(*part.positions, self._sides.chunker)
            findings.tally.count_cells(cells, "matched")
            findings.tally.count_cells(cells[part.changed], "changed")


def _unmatchable(plan: MatchPlan, new: StoredRows, *, lasting: bool) -> str:
    """Why rows of a table cannot be matched; empty if they can.

    Args:
        lasting: keys of the director that the table follows last.
    """
    if not plan.can_match:
        return "it has no primary key"
    follows = {name.lower() for name in (new.layout.key, new.layout.key2) if name}
    is_foreign = plan.is_guessed or any(key.name.lower() in follows for _, key in plan.keys)
    return "it follows a director whose keys do not last" if is_foreign and not lasting and not plan.is_placed else ""


def _has_doubles(findings: Findings) -> bool:
    return findings.keys is not None and findings.keys.doubled_old + findings.keys.doubled_new > 0


def _chunk_rows(side: StoredRows) -> dict[int, int]:
    return {number: chunk.rows for number, chunk in side.chunks.items()}


def _free(rows: Mapping[int, int]) -> Marks:
    return {chunk: np.full(count, FREE, np.int8) for chunk, count in rows.items()}
