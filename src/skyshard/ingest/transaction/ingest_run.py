"""An ingest: what is new of a plan, under which transaction, and its course.

What fails is taken back or gone on with (`ending`). A published
database takes further transactions: what they add stands in tables of its own, which become visible with the rest in
one registry transaction.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace

from skyshard.catalog.placement import place
from skyshard.errors import UserError
from skyshard.host.disk_space import writing
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.plan.agreement import require_agreement, require_loader
from skyshard.ingest.plan.foreign_directors import require_foreign_directors
from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.ingest.transaction.ending import settle
from skyshard.ingest.transaction.ingest_report import IngestReport
from skyshard.ingest.transaction.recovery import clear_staging, plan_digest, recheck, take_back
from skyshard.ingest.transaction.transaction_run import Course
from skyshard.log.events import TRANSACTION_BEGUN, TRANSACTION_RESUMED
from skyshard.progress import Watcher, unwatched
from skyshard.registry.lifecycle import DatabaseState, TransactionState
from skyshard.registry.records import OpenTransaction


class Ingest:
    """One run of one plan."""

    def __init__(self, plan: IngestPlan, site: Site, watcher: Watcher = unwatched) -> None:
        self._plan = plan
        self._site = site
        self._watch = watcher
        self._replayed: Counter[str] = Counter()

    def run(self) -> IngestReport:
        """Ingest and publish.

        Raises:
            UserError: the input is wrong; nothing of it is left.
            ClusterError: a node failed, or another ingest of the database is under way; run again to go on.
        """
        databases = sorted({self._plan.database, *(database for database, _ in self._plan.foreign_directors)})
        with ExitStack() as locks:
            for database in databases:  # directors elsewhere stay as they are meanwhile
                locks.enter_context(self._site.registry.exclusive(f"ingest of {database}"))
            self._resolve_layout()
            require_foreign_directors(self._site.registry, self._plan)
            found = self._site.registry.transactions.find_open(self._plan.database)
            has_news = self._has_news()
            if not has_news:
                require_loader(self._site.registry, self._plan)
            if found is None and not has_news:
                clear_staging(self._site, self._plan.database)
            if has_news or (found is not None and found.state is TransactionState.ABORTING):
                with self._site.held(self._plan.database):
                    mine = self._open(found)
                    if has_news:
                        return self._transact(mine)
            return IngestReport(self._plan.database, 0, replayed=dict(self._replayed))

    def _has_news(self) -> bool:
        """Leave out what a published database has already; False when nothing remains."""
        if not self._is_published():
            return True
        self._plan = self._without_replays()
        return any(table.source.parts for table in self._plan.tables)

    def _transact(self, mine: OpenTransaction | None) -> IngestReport:
        """One transaction to its end: the interrupted one, where it was of this plan, else a new one."""
        registry, plan = self._site.registry, self._plan
        if mine is None:
            mine = registry.transactions.begin(plan.database, plan.layout, plan.source.path, plan_digest(plan))
            parts = sum(len(table.source.parts) for table in plan.tables)
            tables = ", ".join(table.name for table in plan.tables)
            self._site.events.tell(
                TRANSACTION_BEGUN, transaction=mine.id, database=plan.database, tables=tables, parts=parts
            )
        try:
            with writing(self._site.staging):
                return Course(plan, self._site, mine, self._replayed, self._watch).run()
        except BaseException as error:
            settle(self._site, plan.database, mine, error)
            raise

    def _is_published(self) -> bool:
        return self._site.registry.databases.state(self._plan.database) is DatabaseState.PUBLISHED

    def _resolve_layout(self) -> None:
        """A database keeps the replication level and engine that it began with; the nodes must be able to give it."""
        known = self._site.registry.databases.layout(self._plan.database)
        if known is not None and self._is_published():
            require_agreement(self._site.registry, self._plan, known)
            layout = self._plan.layout.model_copy(update={"replicas": known.replicas, "engine": known.engine})
            self._plan = replace(self._plan, layout=layout)
        place({0: 0}, list(self._site.nodes), self._plan.layout.replicas)

    def _without_replays(self) -> IngestPlan:
        """Leave out the parts that earlier transactions took in.

        Raises:
            UserError: a part has other content than when it was taken in.
        """
        taken = self._site.registry.contributions.ingested_parts(self._plan.database)
        digests = {(table, digest) for (table, _), digest in taken.items()}
        tables = []
        for table in self._plan.tables:
            kept = []
            for part in table.source.parts:
                fingerprint = part.fingerprint()
                if (table.name, fingerprint) in digests:
                    self._replayed[table.name] += 1
                elif (table.name, part.path) in taken:
                    raise UserError(
                        f"'{part.path}' has changed since it was ingested into '{self._plan.database}'",
                        remedy="give changed data another file name, or ingest under another --database",
                    )
                else:
                    kept.append(part)
            tables.append(replace(table, source=replace(table.source, parts=tuple(kept))))
        return replace(self._plan, tables=tuple(tables))

    def _open(self, found: OpenTransaction | None) -> OpenTransaction | None:
        """Take up the interrupted transaction if it is of this plan; any other one is taken back."""
        if found is None:
            return None
        site, database = self._site, self._plan.database
        mine = site.registry.transactions.take_over(found)
        if found.state is TransactionState.ABORTING:
            take_back(site, database, mine)
        elif found.plan != plan_digest(self._plan):
            take_back(site, database, mine, "interrupted; another ingest took its place")
        else:
            lost, kept = recheck(site, database, mine), site.registry.replicas.all(database, transaction=mine.id)
            site.events.tell(
                TRANSACTION_RESUMED, transaction=mine.id, database=database, attempt=mine.attempt, kept=len(kept),
                lost=len(lost),
            )  # fmt: skip
            return mine
        return None
