"""Two databases of a cluster, table by table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.catalog.layout import Role, split_director
from skyshard.chunking import Chunker
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.stored.records import Replica
from skyshard.releases.differences.compare_table import TableComparison, TableSides
from skyshard.releases.differences.difference import DatabaseDifference, SideFacts, TableDifference
from skyshard.releases.differences.matching.match_plan import MatchBy
from skyshard.releases.differences.reading.spill_file import SpillFile
from skyshard.releases.differences.reading.stored_rows import stored_rows
from skyshard.releases.differences.reading.worker_threads import WorkerThreads

RADIUS_ARCSEC = 0.5
MOST_ARCSEC = 600.0
_ORDER = (Role.DIRECTOR, Role.DEPENDENT, Role.REGULAR, Role.REF_MATCH)


@dataclass(frozen=True, slots=True)
class DiffRequest:
    """What is asked for."""

    new: str
    old: str
    radius_arcsec: float = RADIUS_ARCSEC
    match: MatchBy = "auto"
    tables: Sequence[str] | None = None
    """Only these; all that both have if None."""
    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By table: new column → old column."""

    def __post_init__(self) -> None:
        if not 0 < self.radius_arcsec <= MOST_ARCSEC:
            raise UserError(
                f"--radius {self.radius_arcsec:g} is not above 0 and at most {MOST_ARCSEC:g} arcseconds",
                remedy="choose the separation up to which two positions are of one object",
            )


def compare_databases(
    request: DiffRequest, site: Site, folder: Path, watcher: Watcher = unwatched
) -> DatabaseDifference:
    """Compare two published databases.

    Args:
        folder: where rows are kept on disk meanwhile, in a file without a name.

    Raises:
        UserError: an unknown database or table, or one that cannot be matched as asked.
        ClusterError: a node failed.
    """
    published = site.registry.published
    names = published.names()  # once: an alias may be moved meanwhile
    new, old = (published.stored_catalog(names.fixed(name), names) for name in (request.new, request.old))
    replicas = {side.database: site.registry.replicas.all(side.database) for side in (new, old)}
    pairs = _table_pairs(new, old, request.tables)
    renamed = _renamed_by_table(request.renamed, [name for name, _ in pairs])
    with SpillFile(folder) as spill, WorkerThreads(watcher) as threads:
        run = _Run(request, site, old, new, replicas, threads, spill)
        tables = [run.compare(name, before, renamed.get(name.lower(), {})) for name, before in pairs]
    shared = {name.lower() for name, _ in _shared(new, old)}
    is_all = request.tables is None
    return DatabaseDifference(
        new=_facts(request.new, new),
        old=_facts(request.old, old),
        radius_arcsec=request.radius_arcsec,
        match=request.match,
        tables_added=[name for name in new.tables if is_all and name.lower() not in shared],
        tables_removed=[name for name in old.tables if is_all and name.lower() not in shared],
        tables=tables,
        violations=[],
    )


@dataclass(slots=True)
class _Run:
    """The tables of two databases, directors first: whether their keys last decides about what follows them."""

    request: DiffRequest
    site: Site
    old: Catalog
    new: Catalog
    replicas: Mapping[str, Sequence[Replica]]
    threads: WorkerThreads
    spill: SpillFile
    lasting: dict[str, bool] = field(default_factory=dict)

    def compare(self, name: str, before: str, renamed: Mapping[str, str]) -> TableDifference:
        striping = self.new.layout.striping
        chunker = Chunker(striping.stripes, striping.substripes, striping.overlap_deg)
        is_same_sky = striping == self.old.layout.striping
        before_rows = stored_rows(self.old, before, self.replicas[self.old.database], self.site.nodes)
        rows = stored_rows(self.new, name, self.replicas[self.new.database], self.site.nodes)
        sides = TableSides(before_rows, rows, chunker, is_same_sky)
        asked = self.request
        comparison = TableComparison(sides, asked.radius_arcsec, asked.match, self.threads, self.spill)
        found = comparison.run(renamed, lasting=self._lasts(name))
        if found.role == Role.DIRECTOR:
            self.lasting[name.lower()] = found.how == "key"
        return found

    def _lasts(self, name: str) -> bool:
        layout = self.new.tables[name].layout
        followed = [one for one in (layout.director, layout.director2) if one]
        mine = [split_director(one, self.new.database) for one in followed]
        return all(self.lasting.get(table.lower(), True) for database, table in mine if database == self.new.database)


def _shared(new: Catalog, old: Catalog) -> list[tuple[str, str]]:
    """Names of tables that both have, new and old, whatever the case of their letters."""
    before = {name.lower(): name for name in old.tables}
    return [(name, before[name.lower()]) for name in new.tables if name.lower() in before]


def _table_pairs(new: Catalog, old: Catalog, wanted: Sequence[str] | None) -> list[tuple[str, str]]:
    """The tables to compare, directors first.

    Raises:
        UserError: a wanted table that is not in both, or none at all.
    """
    pairs = _shared(new, old)
    if not pairs:
        raise UserError("the two databases have no table in common", remedy="compare two releases of one catalog")
    if wanted is not None:
        known = {name.lower() for name, _ in pairs}
        missing = [name for name in wanted if name.lower() not in known]
        if missing:
            both = ", ".join(name for name, _ in pairs)
            raise UserError(f"table '{missing[0]}' is not in both databases", remedy=f"in both are {both}")
        names = {name.lower() for name in wanted}
        pairs = [pair for pair in pairs if pair[0].lower() in names]
    return sorted(pairs, key=lambda pair: _ORDER.index(new.tables[pair[0]].layout.role))


def _renamed_by_table(renamed: Mapping[str, Mapping[str, str]], tables: Sequence[str]) -> dict[str, Mapping[str, str]]:
    known = {name.lower() for name in tables}
    for name in renamed:
        if name.lower() not in known:
            raise UserError(
                f"renamed columns of '{name}', which is not compared", remedy=f"compared: {', '.join(tables)}"
            )
    return {name.lower(): columns for name, columns in renamed.items()}


def _facts(asked: str, catalog: Catalog) -> SideFacts:
    striping = catalog.layout.striping
    return SideFacts(
        database=asked, transaction=catalog.transaction, stripes=striping.stripes, substripes=striping.substripes,
        overlap_deg=striping.overlap_deg,
    )  # fmt: skip
