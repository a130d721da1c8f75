"""Verifies a published database: counts, digests, replicas, indexes, director index, truth.

Everything is read again from the nodes; nothing is believed because the registry says so. Each check says what it
compared, so that a failing one tells where to look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import physical_name
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Table
from skyshard.db.connection import Account, Endpoint, connect, quote_name
from skyshard.ingest.check.check_images import image_checks
from skyshard.ingest.check.check_keys import key_checks
from skyshard.ingest.check.check_truth import KnownRows, VerifyCheck, answer_check
from skyshard.ingest.on_nodes.ingest_site import Site, prototype_names
from skyshard.ingest.on_nodes.part_tables import (
    by_node,
    expected_index_tables,
    index_names,
    one_of_each,
    read_replicas,
    shown_indexes,
)
from skyshard.ingest.transaction.kept_truth import Known, is_outgrown
from skyshard.node.messages import ShownTable, TableDigest
from skyshard.node.node_loader import NodeLoader
from skyshard.node.read.table_faults import find_faults
from skyshard.node.shown_tables import dummy_tables, expected_tables, shown_tables
from skyshard.registry.catalog.director_index import index_table_name
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.stored.lifecycle import ContributionState, ReplicaState
from skyshard.registry.stored.records import Replica
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.rowimage.digest import RowDigest

_MEND = "fixed by skyshard index rebuild"
_INDEX_SUM = "COUNT(*), COALESCE(SUM(CRC32(CONCAT_WS(':', {key}, chunkId, subChunkId))), 0)"


@dataclass(frozen=True, slots=True)
class Verifier:
    """Reads a database back from registry, czar and nodes."""

    site: Site
    endpoints: Mapping[str, Endpoint]
    """Where each node answers statements."""
    ask: Callable[[str], pa.Table]
    """How the cluster answers a statement."""
    known: Known | None = None
    """What the generator of the rows knows of them."""

    def run(self, database: str) -> list[VerifyCheck]:
        """All checks of one database, by its stored name, in a fixed order."""
        site = self.site
        catalog = site.registry.published.stored_catalog(database)
        replicas = site.registry.replicas.all(database)
        contributed = self._contributed(database)
        definitions = {name: (entry.table, entry.layout) for name, entry in catalog.tables.items()}
        found = read_replicas(site.nodes, database, definitions, replicas)
        checks = [*_count_checks(catalog, replicas, contributed, site.registry.transactions.truth_rows(database))]
        checks.append(_digest_check(replicas, found, contributed))
        checks += _replica_checks(catalog, replicas)
        checks += self._standing_checks(catalog, replicas)
        checks.append(self._read_check(catalog, replicas))
        checks += image_checks(site, catalog, replicas)
        for name, table in catalog.tables.items():
            if table.layout.role is Role.DIRECTOR and table.layout.key:
                checks.append(self._index_check(catalog, name, replicas))
        checks += key_checks(site, catalog, is_open=site.registry.transactions.find_open(database) is not None)
        return checks + list(self._truth_checks(database, definitions, replicas))

    def _truth_checks(
        self, database: str, definitions: Mapping[str, tuple[Table, TableLayout]], replicas: Sequence[Replica]
    ) -> Iterable[VerifyCheck]:
        """Rows and answers against what the generator knows, where one made all rows."""
        if self.known is not None:
            known = {name: definitions[name] for name in self.known.digests}
            yield KnownRows(self.known, known, self.site.nodes).check(database, replicas)
            yield answer_check(self.known, self.ask)
        elif is_outgrown(self.site.registry, self.site.folders.truth / database, database):
            why = "not compared: further transactions brought rows, or some were dropped"
            yield VerifyCheck("generator's rows", True, why)

    def _contributed(self, database: str) -> dict[tuple[str, int, bool], RowDigest]:
        """Rows and digests that the contributions brought, by chunk table."""
        sums: dict[tuple[str, int, bool], RowDigest] = {}
        for row in self.site.registry.contributions.all(database):
            if row["state"] == ContributionState.LOADED:
                key = (row["table"], int(row["chunk"]), bool(row["is_overlap"]))
                sums[key] = sums.get(key, RowDigest(0, 0)) + RowDigest.parse(row["digest"])
        return sums

    def _standing_checks(self, catalog: Catalog, replicas: Sequence[Replica]) -> Iterable[VerifyCheck]:
        """Each server has the tables that the registry knows, the dummy chunk, and nothing else, table or file.

        What an unfinished transaction has made so far is counted, and is no fault of the database.
        """
        database = catalog.database
        is_open = self.site.registry.transactions.find_open(database) is not None
        dummies = dummy_tables((name, table.layout.role) for name, table in catalog.tables.items())
        held = by_node(replicas, self.site.nodes)
        known = {node: expected_tables(mine) | dummies for node, mine in held.items()}
        asked = {node: handle.call(NodeLoader.tables, database) for node, handle in self.site.nodes.items()}
        have = {node: set(call.result()) for node, call in asked.items()}
        known["czar"], have["czar"] = self._czar_tables(catalog)
        missing = [f"{name}: {table}" for name in known for table in sorted(known[name] - have[name])]
        retired = self.site.registry.transactions.retired_tables(database)
        extra = [
            f"{name}: {table}"
            for name in known
            for table in sorted(have[name] - known[name] - retired.get(name, set()))
        ]
        yield _nothing_else("tables on the servers", missing, extra, is_open=is_open)
        files = [
            f"{node}: {file}"
            for node, handle in self.site.nodes.items()
            for file in handle.call(NodeLoader.leftover_files, database).result()
        ]
        yield _nothing_else("files of no table", [], files, is_open=is_open)

    def _read_check(self, catalog: Catalog, replicas: Sequence[Replica]) -> VerifyCheck:
        """Every table as queries read it: its index against its rows, and the list of its parts."""
        database = catalog.database
        dummies = dummy_tables((name, table.layout.role) for name, table in catalog.tables.items())
        empty = [ShownTable(name, (name,), 0) for name in sorted(dummies)]
        calls, count, held = {}, 0, by_node(replicas, self.site.nodes)
        for node, handle in self.site.nodes.items():
            shown = [*shown_tables(held[node]), *empty]
            calls[node], count = handle.call(NodeLoader.faults, database, shown), count + len(shown)
        indexes = shown_indexes(database, self.site.registry.index_parts.all(database))
        found = {"czar": find_faults(lambda: connect(self.site.czar, Account.LOADER, INDEX_DATABASE), indexes)}
        found |= {node: call.result() for node, call in calls.items()}
        wrong = [f"{server}: {name}: {why}" for server, faults in found.items() for name, why in faults.items()]
        text = f"{len(wrong)} indexes or lists of parts at fault, {count + len(indexes)} tables{_first(wrong)}"
        return VerifyCheck(
            "tables as queries read them", not wrong, text + (f"; {_MEND} {catalog.called}" if wrong else "")
        )

    def _czar_tables(self, catalog: Catalog) -> tuple[set[str], set[str]]:
        """Prototypes and index tables that the czar must have, and those that it has."""
        database, entries = catalog.database, catalog.tables.items()
        known = {name for table, entry in entries for name in prototype_names(table, entry.layout.role)}
        index = expected_index_tables(database, self.site.registry.index_parts.all(database))
        bases = [index_table_name(database, table) for table, _ in entries]
        with connect(self.site.czar, Account.READER) as connection:
            sql = "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA IN (%s, %s)"
            rows = connection.rows(sql, [database, INDEX_DATABASE])
        have = {name for schema, name in rows if schema == database}
        is_ours = index_names(bases)
        return known | index, have | {n for schema, n in rows if schema == INDEX_DATABASE and is_ours.fullmatch(n)}

    def _index_check(self, catalog: Catalog, director: str, replicas: Sequence[Replica]) -> VerifyCheck:
        """The director index against a scan of the director's chunk tables."""
        key = quote_name(catalog.tables[director].layout.key)
        with connect(self.site.czar, Account.READER) as connection:
            table = self.site.registry.published.index_table(catalog.database, director)
            sql = f"SELECT {_INDEX_SUM.format(key='`key`')} FROM {table}"
            try:
                indexed = _ints(connection.rows(sql)[0]) if table else (0, 0)
            except UserError as error:  # the table is gone
                return VerifyCheck(
                    f"director index of {director}", False, f"{error.what}; skyshard index rebuild rebuilds it"
                )
        scanned = [0, 0]
        for node, names in _primary(director, replicas).items():
            with connect(self.endpoints[node], Account.READER, catalog.database) as connection:
                for name in names:
                    rows, total = _ints(
                        connection.rows(f"SELECT {_INDEX_SUM.format(key=key)} FROM {quote_name(name)}")[0]
                    )
                    scanned = [scanned[0] + rows, scanned[1] + total]
        return VerifyCheck(
            f"director index of {director}", indexed == tuple(scanned), f"{indexed[0]} keys, {scanned[0]} rows scanned"
        )


def _ints(row: Iterable[object]) -> tuple[int, ...]:
    return tuple(int(str(value)) for value in row)


def _nothing_else(name: str, missing: Sequence[str], extra: Sequence[str], *, is_open: bool) -> VerifyCheck:
    text = f"{len(missing)} missing, {len(extra)} {'of an unfinished transaction' if is_open else 'unknown'}"
    return VerifyCheck(name, not missing and (is_open or not extra), text + _first([*missing, *extra]))


def _first(items: Sequence[str]) -> str:
    return f" (first: {items[0]})" if items else ""


def _primary(table: str, replicas: Sequence[Replica]) -> dict[str, list[str]]:
    """One replica of each part of each chunk: node → table names."""
    by_node: dict[str, list[str]] = {}
    for replica in one_of_each(table, replicas):
        by_node.setdefault(replica.node, []).append(replica.name)
    return by_node


def _count_checks(
    catalog: Catalog,
    replicas: Sequence[Replica],
    contributed: Mapping[tuple[str, int, bool], RowDigest],
    truth: Mapping[str, int],
) -> Iterable[VerifyCheck]:
    for name, table in catalog.tables.items():
        brought = sum(total.rows for (of, _, is_overlap), total in contributed.items() if of == name and not is_overlap)
        text = f"{table.rows} rows, {brought} contributed"
        is_good = table.rows == brought
        if name in truth:
            text += f", {truth[name]} by the source's truth"
            is_good = is_good and truth[name] == brought
        if any(r.is_overlap for r in replicas if r.table == name):
            overlap = int(table.chunks.columns.overlap_rows.sum())
            text += f"; {overlap} in overlap"
        yield VerifyCheck(f"rows of {name}", is_good, text)


def _digest_check(
    replicas: Sequence[Replica],
    scans: Mapping[tuple[str, str], TableDigest],
    contributed: Mapping[tuple[str, int, bool], RowDigest],
) -> VerifyCheck:
    wrong = []
    sums: dict[tuple[str, str, int, bool], RowDigest] = {}
    for replica in replicas:
        name = replica.name
        found = scans.get((replica.node, name))
        sums[replica.node, *replica.target] = sums.get((replica.node, *replica.target), RowDigest(0, 0)) + (
            RowDigest.parse(found.digest) if found is not None and found.digest else RowDigest(0, 0)
        )
        if found is None or found.digest != replica.digest:
            reason = f": {found.error}" if found is not None and found.error else ""
            wrong.append(f"{replica.node}: {name}{reason}")
    for (node, table, chunk, is_overlap), total in sums.items():
        if total != contributed.get((table, chunk, is_overlap), RowDigest(0, 0)):
            wrong.append(f"{node}: {physical_name(table, chunk, is_overlap=is_overlap)} as a whole")
    text = f"{len(replicas) - len(wrong)} of {len(replicas)} tables equal{_first(wrong)}"
    return VerifyCheck("digests", not wrong, text)


def _replica_checks(catalog: Catalog, replicas: Sequence[Replica]) -> Iterable[VerifyCheck]:
    holders: dict[tuple[str, int, bool, int], set[str]] = {}
    for replica in replicas:
        if replica.state is ReplicaState.GOOD and replica.chunk >= 0:
            holders.setdefault((*replica.target, replica.part), set()).add(replica.node)
    levels = Counter(len(nodes) for nodes in holders.values())
    wanted = catalog.layout.replicas
    text = ", ".join(f"{count} chunk tables at level {level}" for level, count in sorted(levels.items())) or "no chunks"
    yield VerifyCheck("replicas", all(level >= wanted for level in levels), text)
    together: dict[int, set[frozenset[str]]] = {}
    for (_, chunk, _, _), nodes in holders.items():
        together.setdefault(chunk, set()).add(frozenset(nodes))
    apart = [str(chunk) for chunk, sets in together.items() if len(sets) > 1]
    yield VerifyCheck(
        "sibling tables on the same nodes", not apart, f"{len(together)} chunks, {len(apart)} apart{_first(apart)}"
    )
