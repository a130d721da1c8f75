"""An open cluster: what was wired of it, and statements that it answers.

The part of the testbed that every other part stands on.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import skyshard.czar
from skyshard.basics.scan_way import ScanWay
from skyshard.cluster.cluster import Cluster
from skyshard.runtime import RuntimeKind
from skyshard.testbed.detached import start_detached
from skyshard.wiring import Wiring

if TYPE_CHECKING:
    import pyarrow as pa

    import skyshard.registry

TargetName = Literal["czar", "mono"]


class OpenCluster:
    """A running cluster that answers statements; ``close`` leaves it running."""

    def __init__(
        self, cluster: Path | str, *, runtime: RuntimeKind = "inline", scan_threads: int | None = None
    ) -> None:
        """Open the cluster in a folder.

        Args:
            cluster: the folder, as ``skyshard cluster start --cluster`` made it.
            runtime: where ingest runs by default: in threads of this process, or on Ray.
            scan_threads: of each node's scan lane; a share of the host's cores if None.

        Raises:
            UserError: there is no cluster.
            ClusterError: one of its servers is not running.
        """
        self.wiring = Wiring(Cluster.at(cluster), scan_threads)
        self._runtime_kind = runtime

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened; the cluster goes on running."""
        self.wiring.close()

    @property
    def cluster(self) -> Cluster:
        """The cluster's servers and folders."""
        return self.wiring.cluster

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes, in order."""
        return self.wiring.nodes

    @property
    def registry(self) -> skyshard.registry.Registry:
        """The registry: databases, tables, transactions and replicas."""
        return self.wiring.registry

    @property
    def czar(self) -> skyshard.czar.Czar:
        """The query service, which reads from all nodes; its ``open`` yields rows as they arrive."""
        return self.wiring.czar

    @property
    def mono(self) -> skyshard.czar.MonoTarget:
        """The unsharded oracle; ``load_mono`` starts its server."""
        return self.wiring.mono

    @property
    def submitted(self) -> skyshard.czar.Submitted:
        """Queries that run in the background: ``status``, ``open``, ``cancel``."""
        return skyshard.czar.Submitted(self.registry.history, self.cluster.folder_for("results"))

    def submit(self, sql: str, *, database: str = "") -> int:
        """Start a statement in a background process; returns the query's number."""
        number = self.submitted.submit(sql, database)
        start_detached("run-query", str(number), "--cluster", str(self.cluster.folder))
        return number

    def query(
        self, sql: str, *, database: str = "", target: TargetName = "czar", scan: ScanWay | None = None
    ) -> skyshard.czar.QueryResult:
        """Answer one statement: by the sharded cluster, or by the unsharded oracle.

        Args:
            sql: one statement, in MariaDB's dialect.
            database: the database of names that give none.
            scan: how the cluster scans: as rows, from column images where these are, or (auto) as is best; if
                None, as was chosen for the cluster.

        Raises:
            Refusal: a statement that is not answered, with its reason and a rewrite that works.
            UserError: an unknown table or column, or wrong SQL.
            ClusterError: a node failed.
        """
        if target == "mono":
            return self.mono.execute(sql, database)
        return self.czar.execute(sql, database, scan=scan)

    def explain(self, sql: str, *, database: str = "", scan: ScanWay | None = None) -> skyshard.czar.Explanation:
        """How a statement would be answered: chunks and why, statements, merge; by columns or not, and why not."""
        return self.czar.explain(sql, database, scan=scan)

    def _stored(self, database: str) -> str:
        """The stored name of a published database, from its name or an alias."""
        return self.registry.published.names().stored(database)

    def _fixed(self, database: str) -> str:
        """The same; of one that no visit changes."""
        return self.registry.published.names().fixed(database)

    def _table(self, database: str, sql: str) -> pa.Table:
        return self.query(sql, database=database).table
