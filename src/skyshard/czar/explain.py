"""Explains how a statement would be answered, as text and as a dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skyshard.czar.plan.cost_estimate import Costs, costs_of
from skyshard.czar.plan.mutable_rows import with_whole_stores
from skyshard.czar.plan.query_plan import QueryPlan

TEXT_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Explanation:
    """A plan in words: which chunks and why, which statements, what is merged."""

    kind: str
    lane: str
    chunks: int
    total_chunks: int
    why: tuple[str, ...]
    rows_read: int
    chunk_statements: tuple[str, ...]
    merge_statement: str
    columns: tuple[str, ...]
    costs: Costs
    scans: tuple[str, ...] = ()
    """Of each pull whether it is read by columns, and why not."""

    @classmethod
    def of(cls, plan: QueryPlan, scans: Sequence[str] = ()) -> Explanation:
        names = [f"partial_{number}" for number in range(len(plan.pulls))]
        examples = []
        for pull in plan.pulls:
            chunks = pull.chunks
            statement = pull.template.written()
            example = statement.of_chunk(chunks[0]) if chunks else statement.of_prototype()
            examples.append(with_whole_stores(example, {}))
        merge = plan.merge_over(names) if plan.merge else plan.statement
        rows = sum(pull.rows_read for pull in plan.pulls)
        why = (
            *plan.why,
            *(f"'{called}' is stored as '{stored}'" for called, stored in plan.renamed),
        )
        return cls(
            str(plan.kind), str(plan.lane), plan.chunks, plan.total_chunks, why, rows, tuple(examples), merge,
            plan.names, costs_of(plan), tuple(scans),
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "lane": self.lane,
            "chunks": self.chunks,
            "total_chunks": self.total_chunks,
            "why": list(self.why),
            "rows_read": self.rows_read,
            "bytes_read": self.costs.bytes_read,
            "bytes_moved": self.costs.bytes_moved,
            "elapsed_s": self.costs.elapsed_s,
            "chunk_statements": list(self.chunk_statements),
            "merge_statement": self.merge_statement,
            "columns": list(self.columns),
            "scans": list(self.scans),
        }

    def as_text(self) -> str:
        """Lines for a terminal; long statements are cut."""
        lines = [f"kind    {self.kind}", f"lane    {self.lane}"]
        if self.total_chunks:
            lines.append(f"chunks  {self.chunks} of {self.total_chunks}, at most {self.rows_read:,} rows read")
        moved = "" if self.costs.bytes_moved is None else f", at most {self.costs.bytes_moved / 1e6:,.3g} MB moved"
        read = f"{self.costs.bytes_read / 1e6:,.3g} MB read{moved}"
        lines.append(f"about   {read}, {self.costs.elapsed_s:g} s on idle servers")
        lines += [f"because {reason}" for reason in self.why]
        lines += [f"scan    {_cut(words)}" for words in self.scans]
        lines += [f"chunk   {_cut(statement)}" for statement in self.chunk_statements]
        if self.merge_statement:
            lines.append(f"{'merge' if self.chunk_statements else 'run':7} {_cut(self.merge_statement)}")
        return "\n".join(lines)


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]} ... ({len(text):,} characters)"
