"""``ivoa.ObsCore`` of the releases of a cluster: made of their visit tables, ingested, shown in one step.

Rules: what was published before is read until the new table is whole on every node. Killed at any instant, the next run
goes on; the same rows are not ingested twice.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

import skyshard.czar
import skyshard.ingest
import skyshard.releases
from skyshard.basics.errors import UserError
from skyshard.catalog.obscore_columns import OBSCORE_TABLE
from skyshard.chunking.convex_outlines import MOST_CORNERS
from skyshard.ingest.obscore.constants import Constants, read_constants
from skyshard.ingest.obscore.observation_folder import ObservationFolder
from skyshard.ingest.obscore.observations import Observations, Observed, Tally
from skyshard.ingest.obscore.regions import parse_polygons
from skyshard.ingest.obscore.visit_tables import VisitTables, visit_tables
from skyshard.registry.catalog.database_life import DatabaseRow
from skyshard.registry.stored.lifecycle import DatabaseState
from skyshard.wiring import Wiring

BadRegions = Literal["refuse", "skip"]
_BATCH_ROWS = 50_000
_FEWEST_EDGES = 4


@dataclass(frozen=True, slots=True)
class ReleaseObservations:
    """What one release gives: images by dataset type, polygons that were turned, and those left out by reason."""

    database: str
    constants: str
    """The shipped file or path that the constants are of."""
    images: dict[str, int]
    turned: int
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class ObsCoreReport:
    """What was made; ``transaction`` is 0 where the same rows are published already, or nothing was to be done."""

    database: str
    releases: list[ReleaseObservations]
    edges: int
    """Normals that each polygon has."""
    transaction: int = 0
    is_replaced: bool = False
    """True where it took the place of another table."""
    source: str = ""
    """The mapping that was ingested; empty for a plan."""

    @property
    def rows(self) -> int:
        return sum(sum(release.images.values()) for release in self.releases)


@dataclass(frozen=True, slots=True)
class ObsCoreOrder:
    """What to make of which databases; ``constants``: a shipped name or a file, of all or by database, else by the
    filters of each release.

    ``bad_regions``: a row with a polygon that is none, or of an image that another row has already, is refused, or left
    out and counted.
    """

    databases: Sequence[str]
    into: str = "ivoa"
    constants: str | Mapping[str, str] = ""
    bad_regions: BadRegions = "refuse"
    grace_s: float = 3600.0
    """Seconds for which a replaced table stays, for queries that began before."""

    def __post_init__(self) -> None:
        named = set() if isinstance(self.constants, str) else {*self.constants}
        if others := sorted(named.difference(self.databases)):
            raise UserError(f"constants of '{others[0]}', which is none of the databases", remedy="name one of them")


class ReleaseHost(Protocol):
    """What a run asks of a testbed."""

    @property
    def wiring(self) -> Wiring: ...

    def query(self, sql: str, *, database: str) -> skyshard.czar.QueryResult: ...

    def ingest(self, source: Path, *, database: str) -> skyshard.ingest.IngestReport: ...

    def rename(self, database: str, name: str) -> object: ...

    def drop(self, database: str) -> object: ...

    def finish_drops(self) -> object: ...

    def abort_transaction(self, number: int) -> object: ...


@dataclass
class ObsCoreMaker:
    """One run."""

    testbed: ReleaseHost
    order: ObsCoreOrder
    _tables: dict[str, VisitTables] = field(default_factory=dict)

    def plan(self) -> ObsCoreReport:
        """What would be ingested; changes nothing."""
        made = self._releases(lambda batches: Counter(batch.num_rows for batch in batches))
        return ObsCoreReport(self.order.into, made, self._edges())

    def run(self) -> ObsCoreReport:
        """Make, ingest and publish.

        Raises:
            UserError: a database is not there or has no visit tables, a polygon is none, or a name is taken.
            ClusterError: a node failed; the next run goes on.
        """
        registry = self.testbed.wiring.registry
        with registry.exclusive(f"obscore {self.order.into}"):
            self._require_replaceable()
            edges = self._edges()
            first = registry.published.catalog(self.order.databases[0]).layout
            with ObservationFolder(self._folder(), self.order.into, first, edges) as folder:
                made = self._releases(folder.write)
                mapping = folder.finish()
            report = ObsCoreReport(self.order.into, made, edges, source=str(mapping))
            return self._publish(report, mapping)

    # rows

    def _releases(self, write: Callable[[Iterator[pa.RecordBatch]], object]) -> list[ReleaseObservations]:
        edges = self._edges()
        found = [self._release(database, edges, write) for database in self.order.databases]
        if not any(sum(release.images.values()) for release in found):
            raise UserError(f"{', '.join(self.order.databases)}: no images", remedy="name a release with visits")
        return found

    def _release(
        self, database: str, edges: int, write: Callable[[Iterator[pa.RecordBatch]], object]
    ) -> ReleaseObservations:
        tables, tally = self._visit_tables(database), Tally()
        filters = self._words(database, tables.filter_sql())
        name, constants = self._constants(database, filters)
        maker = Observations(constants, database, edges)
        for observed in self._observed(database, tables, maker, tally):
            write(maker.batches(observed, tally))
        if tally.bad and self.order.bad_regions == "refuse":
            others = f", and {sum(tally.bad.values()) - 1} more" * (sum(tally.bad.values()) > 1)
            raise UserError(
                f"database '{database}', {tally.first_bad}{others}",
                remedy="mend the visit table, or leave such rows out: --bad-regions skip",
            )
        return ReleaseObservations(database, name, dict(tally.images), tally.turned, dict(tally.bad))

    def _constants(self, database: str, filters: list[str]) -> tuple[str, Constants]:
        given = self.order.constants
        try:
            return read_constants(given if isinstance(given, str) else given.get(database, ""), filters)
        except UserError as error:
            raise UserError(f"database '{database}': {error.what}", remedy=error.remedy) from None

    def _observed(self, database: str, tables: VisitTables, maker: Observations, tally: Tally) -> Iterator[Observed]:
        detectors = maker.once(Observed("detector", self._ask(database, tables.detector_sql())), tally).rows
        for first in range(0, detectors.num_rows, _BATCH_ROWS):
            yield Observed("detector", detectors.slice(first, _BATCH_ROWS))
        if not tables.patches:
            return
        patches = maker.once(Observed("patch", self._ask(database, tables.patch_sql())), tally).rows
        bands = self._words(database, tables.band_sql())
        for band in bands:
            for first in range(0, patches.num_rows, _BATCH_ROWS):
                some = patches.slice(first, _BATCH_ROWS)
                yield Observed("patch", some.append_column("band", pa.array([band] * some.num_rows)))

    def _visit_tables(self, database: str) -> VisitTables:
        if database not in self._tables:
            catalog = self.testbed.wiring.registry.published.catalog(database)
            columns = {name: entry.table.column_names for name, entry in catalog.tables.items()}
            self._tables[database] = visit_tables(database, columns)
        return self._tables[database]

    def _edges(self) -> int:
        """As many normals as the polygon with the most corners needs."""
        most = _FEWEST_EDGES
        for database in self.order.databases:
            tables = self._visit_tables(database)
            if tables.patches:
                counts = parse_polygons(self._ask(database, tables.patch_sql())["region"])[2]
                most = max(most, int(counts[counts <= MOST_CORNERS + 1].max(initial=0)))
        return min(most, MOST_CORNERS)

    def _ask(self, database: str, sql: str) -> pa.Table:
        return self.testbed.query(sql, database=database).table

    def _words(self, database: str, sql: str) -> list[str]:
        if not sql:
            return []
        return [str(word) for word in self._ask(database, sql).column(0).to_pylist() if word is not None]

    # publishing

    def _folder(self) -> Path:
        return self.testbed.wiring.cluster.folder_for("obscore")

    def _require_replaceable(self) -> None:
        """Refuse to put the table in the place of a database that holds anything else."""
        into = self.order.into
        if into in self.order.databases:
            raise UserError(f"'{into}' cannot be made of itself", remedy="name releases, and another --into")
        row, later = self._row(into), self._row(_later(into))
        if later is not None and not Path(later.source).is_relative_to(self._folder()):
            raise UserError(
                f"database '{later.shown}' is in the way: the table is called so until it is whole",
                remedy=f"rename it (skyshard rename {later.shown} NAME), or give another name: --into NAME",
            )
        if row is None or row.state is not DatabaseState.PUBLISHED:
            return
        tables = self.testbed.wiring.registry.databases.table_definitions(row.stored)
        if set(tables) != {OBSCORE_TABLE}:
            raise UserError(
                f"database '{into}' has other tables than {OBSCORE_TABLE}", remedy="give another name: --into NAME"
            )

    def _row(self, shown: str) -> DatabaseRow | None:
        return next((row for row in self.testbed.wiring.registry.life.rows() if row.shown == shown), None)

    def _publish(self, report: ObsCoreReport, mapping: Path) -> ObsCoreReport:
        into = self.order.into
        current = self._row(into)
        is_there = current is not None and current.source == str(mapping) and current.state is DatabaseState.PUBLISHED
        transaction = 0 if is_there else self._shown(mapping, is_replaced=current is not None)
        self.testbed.finish_drops()  # also those of a run that was killed behind its last step
        for other in mapping.parent.parent.glob(f"{into}-*"):
            if other != mapping.parent:
                shutil.rmtree(other, ignore_errors=True)
        if is_there:
            return report
        return ObsCoreReport(into, report.releases, report.edges, transaction, current is not None, str(mapping))

    def _shown(self, mapping: Path, *, is_replaced: bool) -> int:
        """Ingest the rows under another name, then let them be called what the order says; returns the transaction."""
        into, later = self.order.into, _later(self.order.into)
        self._clear(later, mapping)
        done = self.testbed.ingest(mapping, database=later)
        if is_replaced:
            skyshard.releases.take_over(self.testbed.wiring.life_place(), into, later, grace_s=self.order.grace_s)
        else:
            self.testbed.rename(later, into)
        return done.transaction

    def _clear(self, later: str, mapping: Path) -> None:
        """Take back what a run that was killed left of other rows."""
        row = self._row(later)
        if row is None or row.source == str(mapping):
            return
        for one in skyshard.releases.list_databases(self.testbed.wiring.registry):
            if one.database == later and one.open_transaction is not None:
                self.testbed.abort_transaction(one.open_transaction)
        if self._row(later) is not None:
            self.testbed.drop(later)


def _later(into: str) -> str:
    """What the table is called until it is whole."""
    return f"{into[:50]}_next"
