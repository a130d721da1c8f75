"""How a server answered one statement: MariaDB's ANALYZE FORMAT=JSON as a tree of steps, and as text. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

NAMES = {
    "query_block": "select",
    "union_result": "union",
    "filesort": "sort",
    "read_sorted_file": "read sorted rows",
    "temporary_table": "temporary table",
    "block-nl-join": "join by buffer",
    "materialized": "made first",
    "expression_cache": "cache of an expression",
    "subqueries": "subqueries",
}
"""Keys of the server's JSON as this program shows them; another one is shown as it is."""
INLINE = {"nested_loop", "query_specifications"}
"""Keys that hold steps and say nothing themselves."""
CONDITION_LIMIT = 100
HEADERS = ("step", "access", "key", "loops", "estimated", "read", "kept, estimated", "kept", "time")
TEXT_COLUMNS = 3
"""Columns at the left that hold text."""


@dataclass(frozen=True, slots=True)
class PlanStep:
    """A step and what it is made of; None where the server does not tell.

    ``rows_estimated`` and ``rows_read`` are of all loops together; shares that were kept are in percent.
    """

    what: str
    access: str = ""
    key: str = ""
    loops: float | None = None
    rows_estimated: float | None = None
    rows_read: float | None = None
    kept_estimated: float | None = None
    kept: float | None = None
    time_ms: float | None = None
    condition: str = ""
    steps: tuple[PlanStep, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, PlanStep]]:
        """This step and all below it, with their depth."""
        yield depth, self
        for step in self.steps:
            yield from step.walk(depth + 1)


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """The slowest chunk statement of a node, analysed.

    ``unit_chunks`` were asked for together and took ``unit_s`` when the query was answered; ``chunk`` is the one of
    them that took longest when the server analysed them, None where there is no chunk.
    """

    node: str
    unit_chunks: tuple[int, ...]
    unit_s: float
    chunk: int | None
    statement: str
    step: PlanStep
    raw: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {
            "node": self.node, "unit_chunks": list(self.unit_chunks), "unit_s": self.unit_s, "chunk": self.chunk,
            "statement": self.statement, "step": asdict(self.step), "raw": self.raw,
        }  # fmt: skip

    def as_text(self) -> str:
        """Lines for a terminal: a line for each step, indented."""
        where = "a statement over whole tables" if self.chunk is None else f"chunk {self.chunk}"
        if len(self.unit_chunks) > 1:
            where += f", slowest of {len(self.unit_chunks)} asked for together"
        lines = [f"server  {self.node}: {where}; answered in {self.unit_s:.4f} s, then analysed:"]
        steps = [("  " * depth + step.what, *_cells(step)) for depth, step in self.step.walk()]
        lines += [f"{' ' * 8}{line}" for line in (*_aligned([HEADERS, *steps]), *_conditions(self.step))]
        return "\n".join(lines)


def read_plan(node: str, unit: Sequence[int], unit_s: float, statement: str, raw: dict[str, Any]) -> ServerPlan:
    """The plan of a unit's statement; of several chunks the slowest one's."""
    block, chunk = raw.get("query_block", {}), unit[0] if len(unit) == 1 else None
    if len(unit) > 1:
        parts = _union_parts(raw, len(unit))
        slowest = max(range(len(parts)), key=lambda part: _number(parts[part].get("r_total_time_ms")) or 0.0, default=0)
        if parts:
            block, chunk = parts[slowest], unit[slowest]
    return ServerPlan(node, tuple(unit), unit_s, chunk, statement, _block(block), raw)


def _union_parts(found: object, count: int) -> list[Mapping[str, Any]]:
    """The outermost union of so many selects: one for each chunk, in their order; empty when there is none."""
    level = [found]
    while level:
        below: list[object] = []
        for one in level:
            if isinstance(one, Mapping):
                parts = one.get("query_specifications", ())
                if len(parts) == count:
                    return [part["query_block"] for part in parts]
                below += one.values()
            elif isinstance(one, list):
                below += one
        level = below
    return []


def _block(block: Mapping[str, Any]) -> PlanStep:
    return _step("query_block", block)


def _step(key: str, found: Mapping[str, Any]) -> PlanStep:
    """One step of the server's JSON with those in it."""
    loops = _number(found.get("r_loops"))
    rows, read = _number(found.get("rows")), _number(found.get("r_rows", found.get("r_output_rows")))
    times = [_number(found.get(name)) for name in ("r_total_time_ms", "r_table_time_ms", "r_other_time_ms")]
    told = [time for time in times if time is not None]
    condition = found.get("attached_condition") or found.get("index_condition") or found.get("message") or ""
    return PlanStep(
        what=_what(key, found),
        access=str(found.get("access_type", "")),
        key=str(found.get("key", "")),
        loops=loops,
        rows_estimated=None if rows is None else rows * max(1.0, loops or 1.0),
        rows_read=None if read is None else read * (loops if loops is not None else 1.0),
        kept_estimated=_number(found.get("filtered")),
        kept=_number(found.get("r_filtered")),
        time_ms=sum(told) if told else None,
        condition=str(condition),
        steps=tuple(_steps(found)),
    )


def _what(key: str, found: Mapping[str, Any]) -> str:
    if key == "table":
        return f"table {found.get('table_name', '')}".rstrip()
    return NAMES.get(key, key.replace("_", " "))


def _steps(found: Mapping[str, Any]) -> Iterator[PlanStep]:
    """The steps below a part of the JSON, in its order."""
    for key, value in found.items():
        parts = [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, Mapping)]
        for part in parts:
            if key in INLINE or (isinstance(value, list) and key not in NAMES):
                yield from _steps(part)
            elif key == "table" or _has_steps(part):
                yield _step(key, part)


def _has_steps(found: Mapping[str, Any]) -> bool:
    """True when a table is read somewhere below, or told why not."""
    if "table" in found or "message" in found:
        return True
    values = [part for value in found.values() for part in (value if isinstance(value, list) else [value])]
    return any(_has_steps(part) for part in values if isinstance(part, Mapping))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _cells(step: PlanStep) -> tuple[str, ...]:
    counts = [_count(value) for value in (step.loops, step.rows_estimated, step.rows_read)]
    shares = ["" if value is None else f"{value:.3g} %" for value in (step.kept_estimated, step.kept)]
    time = "" if step.time_ms is None else f"{step.time_ms:,.3f} ms"
    return (step.access, step.key, *counts, *shares, time)


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:TEXT_COLUMNS], widths, strict=False)]
        cells += [cell.rjust(width) for cell, width in zip(row[TEXT_COLUMNS:], widths[TEXT_COLUMNS:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines


def _conditions(step: PlanStep) -> list[str]:
    """A line for each step that has a condition or a message."""
    found = [one for _, one in step.walk() if one.condition]
    return [f"{one.what}: {_cut(' '.join(one.condition.split()))}" for one in found]


def _cut(text: str) -> str:
    return text if len(text) <= CONDITION_LIMIT else f"{text[:CONDITION_LIMIT]} ..."
