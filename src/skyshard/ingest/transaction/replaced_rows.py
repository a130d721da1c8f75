"""Which chunk tables a transaction makes anew because it takes the place of files, and what of them stays.

Contributions say how many rows of a file are in which chunk table, and their digest: so it is known beforehand what a
table will be without them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from skyshard.ingest.on_nodes.build_orders import EMPTY, KeptRows, Target
from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import ContributionState
from skyshard.registry.stored.records import WHOLE, InputFile, Replica
from skyshard.rowimage.digest import RowDigest


def leaving_rows(registry: Registry, database: str, files: Collection[InputFile]) -> dict[Target, RowDigest]:
    """Rows and digest of what files brought to each chunk table; tables to which they brought nothing are left out."""
    wanted = {(file.transaction, file.table, file.path) for file in files}
    sums: dict[Target, RowDigest] = {}
    for row in registry.contributions.all(database) if wanted else ():
        is_theirs = (row["transaction_id"], row["table"], row["part"]) in wanted
        if is_theirs and row["rows"] and row["state"] == ContributionState.LOADED:
            target = (str(row["table"]), int(row["chunk"]), bool(row["is_overlap"]))
            sums[target] = sums.get(target, EMPTY) + RowDigest.parse(row["digest"])
    return sums


def kept_rows(
    registry: Registry, plan: IngestPlan, finished: Sequence[Replica], coming: Iterable[Target]
) -> dict[Target, KeptRows]:
    """The chunk tables that are made whole: those that rows leave, and those of the same files to which rows come.

    Args:
        finished: the replicas of finished transactions.
        coming: the chunk tables to which the transaction brings rows.
    """
    if not plan.replaced:
        return {}
    leaving = leaving_rows(registry, plan.database, plan.replaced)
    stored = _parts(finished)
    return {
        target: KeptRows(
            tuple(stored[target]),
            sum(stored[target].values(), EMPTY) - leaving.get(target, EMPTY),
            plan.left_out(target[0]) if target in leaving else (),
        )
        for target in {*leaving, *coming} & stored.keys()
    }  # fmt: skip


def absent_nodes(finished: Iterable[Replica], nodes: Collection[str]) -> dict[Target, frozenset[str]]:
    """By regular table that is there, the nodes that lack a part of it, and so answer nothing of it until it is filled.

    A node is so that was drained before the registry was lost, as no record says so. Where no node has all parts none
    is left out, so that what is wrong is said by whoever meets it.
    """
    held: dict[Target, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for replica in finished:
        if replica.chunk == WHOLE:
            held[replica.target][replica.node].add(replica.name)
    found = {}
    for target, names_on in held.items():
        parts = set().union(*names_on.values())
        absent = frozenset(node for node in nodes if not names_on.get(node, set()) >= parts)
        if len(absent) < len(nodes):
            found[target] = absent
    return found


def _parts(replicas: Iterable[Replica]) -> Mapping[Target, dict[str, RowDigest]]:
    """Names and digests of the parts of each chunk table, oldest first; every replica has the same."""
    parts: dict[Target, dict[str, RowDigest]] = defaultdict(dict)
    for replica in sorted(replicas, key=lambda replica: replica.part):
        parts[replica.target][replica.name] = RowDigest.parse(replica.digest)
    return parts
