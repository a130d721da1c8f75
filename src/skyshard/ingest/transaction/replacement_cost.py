"""Says before an ingest which files were written again since they were ingested, and what replacing them takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.ingest.plan.input_files import input_files, whole_files
from skyshard.ingest.plan.replacement import bytes_digest, is_same, replacing
from skyshard.ingest.plan.stored_names import with_stored_names
from skyshard.ingest.source import InputSlice
from skyshard.ingest.transaction.replaced_rows import leaving_rows
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import DatabaseState


@dataclass(frozen=True, slots=True)
class RewrittenFile:
    """A file of the source that was ingested with other content, under its path or of its dataset."""

    table: str
    path: str
    dataset: str
    ingested_from: str
    transaction: int
    can_be_replaced: bool
    """The database knows which rows are of it."""


@dataclass(frozen=True, slots=True)
class ReplacementCost:
    """What a replacement writes anew besides the rows that come; ``bytes`` are of all copies."""

    files: int
    rows: int
    """That go."""
    chunk_tables: int
    kept_rows: int
    """That are copied, each copy counted once."""
    bytes: int
    index_keys: int


@dataclass(frozen=True, slots=True)
class IngestedBefore:
    """What a plan's database has of its files: those that were written again, and what replacing some of them takes.

    ``plan`` is the plan with the slices that a replacement brings only, where one was asked for.
    """

    plan: IngestPlan
    rewritten: tuple[RewrittenFile, ...] = ()
    cost: ReplacementCost | None = None

    def summary(self) -> dict[str, Any]:
        """Plain values for JSON; empty where nothing is to be said."""
        found: dict[str, Any] = {"rewritten": [asdict(file) for file in self.rewritten]} if self.rewritten else {}
        return found | ({"replacement": asdict(self.cost)} if self.cost else {})


def ingested_before(
    registry: Registry, plan: IngestPlan, wanted: Sequence[str], *, names_tables: bool = False
) -> IngestedBefore:
    """Compare a plan with what its database was ingested from.

    Args:
        wanted: what is to be replaced, as `plan.replacement` reads it.

    Raises:
        UserError: something cannot be replaced.
    """
    stored = with_stored_names(registry, plan)
    if registry.databases.state(stored.database) is not DatabaseState.PUBLISHED:
        if wanted:
            raise UserError(f"no database '{plan.called}' is published", remedy="ingest it without --replace")
        return IngestedBefore(plan)
    rewritten = tuple(rewritten_files(registry, stored))
    if not wanted:
        return IngestedBefore(plan, rewritten)
    stored = replacing(stored, registry.input_files.standing(stored.database), wanted, names_tables=names_tables)
    cost = replacement_cost(registry, stored)
    return IngestedBefore(replace(stored, database=plan.called), rewritten, cost)


def rewritten_files(registry: Registry, plan: IngestPlan) -> list[RewrittenFile]:
    """The source's files whose content is another than the one that was ingested; reads what may have changed only."""
    standing = registry.input_files.standing(plan.database)
    found, files = [], whole_files(plan)
    by_path = {(file.table, file.path): file for file in standing}
    by_dataset = {(file.table, file.dataset): file for file in standing if file.dataset}
    for now in input_files(table.source for table in plan.tables):
        before = by_path.get((now.table, now.path)) or by_dataset.get((now.table, now.dataset))
        if before is None or not is_same(before, now):
            continue
        is_untouched = (before.path, before.bytes, before.changed_ns) == (now.path, now.bytes, now.changed_ns)
        is_untouched &= not files[now.table, now.path].part  # of a file as it was another part may be read now
        if not is_untouched and before.digest != bytes_digest(now, files):
            found.append(RewrittenFile(now.table, now.path, now.dataset, before.path, before.transaction, True))
    numbered = {(file.table, file.path) for file in standing}
    return [*found, *_unnumbered(registry, plan, numbered)]


def _unnumbered(registry: Registry, plan: IngestPlan, numbered: set[tuple[str, str]]) -> list[RewrittenFile]:
    """The same of tables without provenance: by contributions, of files that changed since their transaction began."""
    taken = registry.contributions.ingested_parts(plan.database)
    began = {row["id"]: row["begun_s"] for row in registry.transactions.all(plan.database)}
    brought = {(row["table"], row["part"]): row["transaction_id"] for row in registry.contributions.all(plan.database)}
    found: dict[tuple[str, str], RewrittenFile] = {}
    for table in plan.tables:
        for piece in table.source.slices:
            key = (table.name, piece.path)
            if key in numbered or key not in taken or key in found or piece.made:
                continue
            transaction = brought[key]
            is_newer = InputSlice.of(Path(piece.path)).changed_ns / 1e9 >= began.get(transaction, 0)
            if is_newer and piece.fingerprint() not in taken[key]:
                found[key] = RewrittenFile(table.name, piece.path, "", piece.path, transaction, False)
    return [*found.values()]


def replacement_cost(registry: Registry, plan: IngestPlan) -> ReplacementCost:
    """What the rows that go leave behind to be written anew; tables that only get rows are not known yet."""
    leaving = leaving_rows(registry, plan.database, plan.replaced)
    replicas = [replica for replica in registry.replicas.all(plan.database) if replica.target in leaving]
    rows = {(replica.target, replica.name): replica.rows for replica in replicas}
    directors = _directors(plan)
    keys = sum(part.rows for part in registry.index_parts.all(plan.database) if part.director in directors)
    gone = sum(total.rows for total in leaving.values())
    own = sum(total.rows for (_, _, is_overlap), total in leaving.items() if not is_overlap)
    return ReplacementCost(
        len(plan.replaced), own, len(leaving), sum(rows.values()) - gone,
        sum(replica.bytes for replica in replicas), keys,
    )  # fmt: skip


def _directors(plan: IngestPlan) -> Sequence[str]:
    """The directors whose indexes are written anew."""
    going = {file.table for file in plan.replaced}
    tables = (table for table in plan.tables if table.source.layout.role == "director")
    return [table.name for table in tables if table.name in going or (plan.replaced and table.source.slices)]
