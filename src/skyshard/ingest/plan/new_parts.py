"""What of a plan is new: parts that earlier transactions took in are left out, changed ones refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from skyshard.errors import UserError
from skyshard.ingest.plan.ingest_plan import IngestPlan, PlannedTable
from skyshard.ingest.source import Part

Taken = Mapping[tuple[str, str], str]
"""What finished transactions took in: table and path of a part → digest of its bytes."""


@dataclass(frozen=True, slots=True)
class NewParts:
    """The plan with new parts only; ``replayed`` counts by table those that were left out."""

    plan: IngestPlan
    replayed: Mapping[str, int]

    @property
    def is_empty(self) -> bool:
        return not any(table.source.parts for table in self.plan.tables)


def new_parts(plan: IngestPlan, taken: Taken) -> NewParts:
    """Leave out what was taken in: content counts, not the name; the same content for another table is new.

    Raises:
        UserError: a part has the name of one that was taken in, and other content.
    """
    if not taken:  # no file needs to be read
        return NewParts(plan, {})
    contents = {(table, digest) for (table, _), digest in taken.items()}
    replayed: Counter[str] = Counter()
    tables = []
    for table in plan.tables:
        kept = []
        for part in table.source.parts:
            if (table.name, part.fingerprint()) in contents:
                replayed[table.name] += 1
            elif (table.name, part.path) in taken:
                raise UserError(
                    f"'{part.path}' has changed since it was ingested into '{plan.database}'",
                    remedy="give changed data another file name, or ingest under another --database",
                )
            else:
                kept.append(part)
        tables.append(_with_parts(table, kept))
    return NewParts(replace(plan, tables=tuple(tables)), dict(replayed))


def _with_parts(table: PlannedTable, parts: list[Part]) -> PlannedTable:
    return replace(table, source=replace(table.source, parts=tuple(parts)))
