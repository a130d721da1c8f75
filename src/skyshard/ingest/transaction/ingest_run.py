"""An ingest: finds what is new of a plan, and carries it out as one transaction, a new one or an interrupted one.

What fails is taken back or left to be resumed (`ending`). A published database takes further transactions: what they
add is in tables of its own, which become visible with the rest in one registry transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.catalog.placement import place
from skyshard.host.disk_space import writing
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.plan.agreement import require_agreement, require_loader, require_one_part
from skyshard.ingest.plan.foreign_directors import require_foreign_directors
from skyshard.ingest.plan.ingest_plan import IngestPlan, require_no_rows_of_unique_indexes
from skyshard.ingest.plan.new_slices import NewSlices, new_slices
from skyshard.ingest.plan.replacement import replacing
from skyshard.ingest.plan.stored_names import with_stored_names
from skyshard.ingest.transaction.ending import settle
from skyshard.ingest.transaction.file_numbers import numbered
from skyshard.ingest.transaction.ingest_report import IngestReport
from skyshard.ingest.transaction.recovery import plan_digest, recheck, take_back
from skyshard.ingest.transaction.transaction_run import TransactionRun
from skyshard.log.events import TRANSACTION_BEGUN, TRANSACTION_RESUMED
from skyshard.registry.stored.lifecycle import DatabaseState, TransactionState
from skyshard.registry.stored.records import OpenTransaction


class Ingest:
    """One run of one plan."""

    def __init__(
        self,
        plan: IngestPlan,
        site: Site,
        watcher: Watcher = unwatched,
        replace: Sequence[str] = (),
        *,
        names_tables: bool = False,
    ) -> None:
        """``replace`` names what takes the place of rows that are there (`plan.replacement`)."""
        self._plan = plan
        self._site = site
        self._watch = watcher
        self._replace = replace
        self._names_tables = names_tables

    def run(self) -> IngestReport:
        """Ingest and publish.

        Raises:
            UserError: the input is wrong; nothing of it is left.
            ClusterError: a node failed, or another ingest of the database is under way; run again to go on.
        """
        registry = self._site.registry
        with ExitStack() as locks:
            self._plan = self._locked(locks)
            database = self._plan.database
            is_published = registry.databases.state(database) is DatabaseState.PUBLISHED
            plan = self._with_known_layout(is_published)
            require_foreign_directors(registry, plan)
            found = registry.transactions.find_open(database)
            news = self._news(plan, is_published)
            require_no_rows_of_unique_indexes(news.plan, {one.name: one.source.layout for one in news.plan.tables})
            require_one_part(registry, news.plan)
            return self._carry_out(news, found, has_news=not (is_published and news.is_empty))

    def _news(self, plan: IngestPlan, is_published: bool) -> NewSlices:
        """What is new of the plan, or what is to take the place of rows that are there."""
        registry, database = self._site.registry, plan.database
        if self._replace and not is_published:
            raise UserError(f"no database '{plan.called}' is published", remedy="ingest it without --replace")
        if not is_published:
            return NewSlices(plan, {})
        standing = registry.input_files.standing(database)
        if self._replace:
            return NewSlices(replacing(plan, standing, self._replace, names_tables=self._names_tables), {})
        return new_slices(plan, registry.contributions.ingested_parts(database), standing)

    def _locked(self, locks: ExitStack) -> IngestPlan:
        """The plan by stored names, with the locks of its databases: directors elsewhere must not change.

        Raises:
            ClusterError: a name means another database now (retryable).
        """
        registry = self._site.registry
        plan = with_stored_names(registry, self._plan)
        for name in sorted({plan.database, *(other for other, _ in plan.foreign_directors)}):
            locks.enter_context(registry.ingesting(name))
        now = with_stored_names(registry, self._plan)
        if (now.database, now.foreign_directors) != (plan.database, plan.foreign_directors):
            raise ClusterError(f"'{plan.called}' was renamed or dropped meanwhile", remedy="ask again", retryable=True)
        return plan

    def _carry_out(self, news: NewSlices, found: OpenTransaction | None, *, has_news: bool) -> IngestReport:
        """What is new in one transaction; where nothing is, only what an interrupted one left is tidied up."""
        site, database = self._site, news.plan.database
        if not has_news:
            require_loader(site.registry, news.plan)
            if found is None:
                site.clear_staging(database)
                site.keep_records(database)  # a run before this one may have ended before it came to that
        if has_news or (found is not None and found.state is TransactionState.ABORTING):
            with site.held(database):
                site.prepare_hosts()
                mine = self._taken_up(found, news.plan)
                if has_news:
                    return self._transact(news, mine)
        return IngestReport(news.plan.called, 0, replayed=dict(news.replayed))

    def _transact(self, news: NewSlices, mine: OpenTransaction | None) -> IngestReport:
        """One transaction to its end: the interrupted one, where it was of this plan, else a new one."""
        site, plan = self._site, news.plan
        if mine is None:
            mine = self._begun(plan)
            slices = sum(len(table.source.slices) for table in plan.tables)
            tables = ", ".join(table.name for table in plan.tables)
            site.events.tell(TRANSACTION_BEGUN, transaction=mine.id, database=plan.called, tables=tables, slices=slices)
        try:
            with writing(site.folders.staging):
                plan = numbered(site.registry, plan, mine.id)
                return TransactionRun(plan, site, mine, news.replayed, self._watch).run()
        except BaseException as error:
            settle(site, plan.database, mine, error)
            raise

    def _begun(self, plan: IngestPlan) -> OpenTransaction:
        """A new transaction; a database that is new is registered with it, under a name that nothing else has."""
        registry, servers = self._site.registry, self._site.started_s()
        what = (plan.database, plan.layout, plan.source.path, plan_digest(plan), servers)
        if registry.databases.state(plan.database) is not None:
            return registry.transactions.begin(*what)
        self._site.require_unknown(plan.database)
        with registry.naming():
            registry.databases.require_free_name(plan.called)
            return registry.transactions.begin(*what, shown=plan.called)

    def _with_known_layout(self, is_published: bool) -> IngestPlan:
        """A database keeps the replication level and engine that it began with; the nodes must be able to give it."""
        plan, registry = self._plan, self._site.registry
        known = registry.databases.layout(plan.database)
        if known is not None and is_published:
            require_agreement(registry, plan, known)
            definitions = registry.databases.table_definitions(plan.database)
            plan = plan.kept_in(known, {name: layout for name, (_, layout) in definitions.items()})
        nodes = list(self._site.nodes)
        place({0: 0}, nodes, plan.layout.replicas)
        self._site.require_engine(plan.layout.table_engine)
        return plan

    def _taken_up(self, found: OpenTransaction | None, plan: IngestPlan) -> OpenTransaction | None:
        """The interrupted transaction if it is of this plan; any other one is taken back."""
        if found is None:
            return None
        site, database = self._site, plan.database
        mine = site.registry.transactions.take_over(found, site.nodes)
        if found.state is TransactionState.ABORTING:
            take_back(site, database, mine)
        elif found.plan != plan_digest(plan):
            take_back(site, database, mine, "interrupted; another ingest took its place")
        else:
            lost, kept = recheck(site, database, mine), site.registry.replicas.all(database, transaction=mine.id)
            site.events.tell(
                TRANSACTION_RESUMED, transaction=mine.id, database=plan.called, attempt=mine.attempt, kept=len(kept),
                lost=len(lost),
            )  # fmt: skip
            return mine
        return None
