"""What a pull asks of each node: the statement of a unit of chunks, and the scratch tables for its rows.

Rules: values only; nothing is sent. Where rows travel as text, columns are cast so that the text protocol carries them
exactly; over several chunks so that UNION ALL cuts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skyshard.czar.plan.chunk_template import INSIDE, WIDE, WIDE_SIGNED, WIDE_UNSIGNED, ChunkText
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.result.typed_results import (
    TEMPORAL,
    TypedColumn,
    create_scratch,
    record_layout,
    select_exactly,
)
from skyshard.czar.run.scratch_tables import file_name, scratch_table
from skyshard.czar.scan.scan_schedule import Unit

NUMBER_CASTS = {"bit": "UNSIGNED", "year": "UNSIGNED"}
"""How an expression of a type is read so that it comes as a number: the least BIT or YEAR would come as digits, which
are not what such a column takes them for."""
TEXT_CASTS = {**dict.fromkeys(TEMPORAL, "CHAR"), "float": "DOUBLE", **NUMBER_CASTS}
"""The same so that the text protocol carries it exactly."""


@dataclass(frozen=True, slots=True)
class PullOrder:
    """A pull of one query as nodes are asked for it.

    ``what`` names its scratch tables; ``limit``: no more rows are needed. ``record_bytes``: of a row in the data files
    of scratch tables; 0 where rows travel as text. ``is_castable``: the statement reads every column exactly, else it
    is read as a derived table. ``is_scan``: the scan lanes ask. ``is_short``: scans step aside while it runs.
    """

    query: str
    what: str
    text: ChunkText
    columns: tuple[TypedColumn, ...]
    limit: int | None
    record_bytes: int
    is_castable: bool
    is_scan: bool
    is_short: bool

    @classmethod
    def of(
        cls, query: str, what: str, pull: Pull, columns: Sequence[TypedColumn], *, is_text: bool, is_scan: bool
    ) -> PullOrder:
        """The order for a pull whose columns have these types."""
        has_pairs = any(slot.overlap_columns is not None for slot in pull.template.slots.values())
        layout = None if is_text else record_layout(columns)
        size = layout.length if layout is not None else 0
        return cls(
            query, what, cast_template(pull, columns, is_text=is_text), tuple(columns), pull.limit, size,
            bool(pull.template.items), is_scan, not has_pairs,
        )  # fmt: skip

    def statement(self, unit: Unit) -> str:
        """The statement that reads a unit's chunks."""
        selects = [self.text.of_chunk(chunk) for chunk in unit.chunks]
        is_single = len(selects) == 1
        text = selects[0] if is_single else " UNION ALL ".join(f"({select})" for select in selects)
        if not self.record_bytes and not self.is_castable:
            text = select_exactly(self.columns, f"({text}) AS q")
            is_single = False
        return text if self.limit is None or is_single else f"{text} LIMIT {self.limit}"

    def table(self, number: int) -> tuple[str, str]:
        """Quoted name and data file of a scratch table; no other one of the pull has its number."""
        name = f"{self.what}_{number}"
        return scratch_table(self.query, name), file_name(self.query, name)

    def create(self, table: str) -> str:
        """CREATE TABLE text of such a table."""
        return create_scratch(table, self.columns, is_temporary=False)


def cast_template(pull: Pull, columns: Sequence[TypedColumn], *, is_text: bool) -> ChunkText:
    """The statement of a pull, with casts that keep every digit and letter on the way."""
    casts = {column.name: "DOUBLE" for column in columns if column.is_rounded}
    exactly = TEXT_CASTS if is_text else NUMBER_CASTS
    casts.update({column.name: kind for column in columns if (kind := exactly.get(column.type.base))})
    is_united = pull.chunks is None or len(pull.chunks) > 1
    loose = [column for column in columns if column.is_loose and (is_united or column.name in pull.template.different)]
    casts.update({column.name: wide for column in loose if (wide := _wide(column, is_text=is_text))})
    exact = [column for column in columns if column.is_exact]
    casts.update({one.name: f"{one.stored}{INSIDE}{casts.get(one.name, '')}" for one in exact})
    return pull.template.written(casts)


def _wide(column: TypedColumn, *, is_text: bool) -> str:
    """What a loose column is cast to, so that neither UNION ALL nor GROUP BY cuts its values; empty: it does not."""
    if column.type.base == "decimal":
        return "CHAR" if is_text else column.stored
    if column.is_integer:
        return "" if column.is_roomy else WIDE_UNSIGNED if column.type.is_unsigned else WIDE_SIGNED
    return WIDE
