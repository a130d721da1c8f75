"""A cluster with a history, whose czar's server loses all that it had."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from tests.support.stepping import Fuse, Fused, Stopped, fused, stop_at
from tests.support.tract_files import TractFiles, answers, right_answers, second_state

from skyshard.backup.place import BackupPlace
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect, quote_name
from skyshard.registry.backup.registry_rows import clear
from skyshard.registry.stored.database_names import INDEX_DATABASE
from skyshard.testbed import Testbed

RENAMED, ALIAS, GONE = "released", "latest", "dropped"


@dataclass(slots=True)
class History:
    """A database with several transactions, a compaction, a replacement, an aborted ingest, another name, an alias."""

    files: TractFiles
    cluster: PrivateCluster

    def make(self, testbed: Testbed) -> None:
        files, database = self.files, self.files.database
        testbed.ingest(files.mapping, replicas=2)
        files.write("Object", 3, [(21, 10.3, 5.3, 6.5), (22, 120.0, 30.0, 7.5)])
        files.write("Source", 3, [(121, 21, 10.3, 5.3), (122, 22, 120.0, 30.0)])
        testbed.ingest(files.mapping)
        testbed.compact(database, grace_s=0.0)
        second_state(files)
        testbed.ingest(files.mapping, replace=["1"])
        testbed.ingest(files.mapping, database=GONE)
        testbed.drop(GONE)
        files.write("Object", 4, [(31, 10.4, 5.4, 8.5)])
        self.abort(testbed)
        files.remove("Object", 4)
        files.write("Object", 5, [(41, 10.25, 5.25, 3.25), (42, 300.0, 60.0, 4.25)])
        testbed.ingest(files.mapping)
        testbed.rename(database, RENAMED)
        testbed.alias(ALIAS, RENAMED)

    def abort(self, testbed: Testbed) -> None:
        """Begin an ingest, stop, take it back."""
        number = self.interrupt(testbed, "load")
        testbed.abort_transaction(number)

    def interrupt(self, testbed: Testbed, stage: str) -> int:
        """Begin an ingest and stop in a stage; returns the transaction, which stays open."""
        with suppress(Stopped):
            testbed.ingest(self.files.mapping, database=self.called(testbed), watcher=stop_at(stage))
        return max(int(row["id"]) for row in testbed.registry.transactions.all())

    def called(self, testbed: Testbed) -> str:
        return testbed.registry.published.names().shown(self.files.database)

    def is_right(self, testbed: Testbed, name: str = RENAMED, *, is_whole: bool = True) -> None:
        """Every answer is SQLite's, all is verified and whole, names are as they were."""
        assert answers(testbed, name) == right_answers(self.files.rows)
        bad = [check for check in testbed.verify(name) if not check.is_good]
        assert not bad, repr(bad)
        assert testbed.replicas.status(name).is_whole or not is_whole

    def lose_czar(self) -> None:
        """The czar's server begins anew, with an empty data folder."""
        self.cluster.stop()
        shutil.rmtree(self.cluster.folder / "servers" / "czar")
        self.cluster.start()


def known(testbed: Testbed) -> dict[str, Any]:
    """What the registry says of databases, by what may be compared before and after."""
    return {
        "databases": [(one.database, one.rows, one.bytes) for one in testbed.databases()],
        "aliases": testbed.aliases(),
        "files": [
            (one.number, one.path, one.rows, one.digest, one.replaced_by) for one in testbed.input_files(RENAMED)
        ],
        "replicas": sorted(
            (one.name, one.node, one.rows, one.digest, str(one.state))
            for one in testbed.registry.replicas.all(testbed.registry.published.names().stored(RENAMED))
        ),
    }


def forget_all(testbed: Testbed, database: str) -> None:
    """What ``lose_czar`` does, without a start of servers: the czar's server knows nothing any more."""
    with connect(testbed.cluster.endpoint(CZAR_NAME), Account.ADMIN) as czar:
        clear(czar)
        for name in (INDEX_DATABASE, database):
            czar.execute(f"DROP DATABASE IF EXISTS {quote_name(name)}")
        czar.execute(f"CREATE DATABASE {quote_name(INDEX_DATABASE)}")


def stepped(testbed: Testbed, fuse: Fuse) -> BackupPlace:
    """The place of a backup, whose every step burns the fuse."""
    place = testbed.wiring.backup_place()
    registry: Any = Fused(place.registry, fuse)
    return replace(place, registry=registry, site=lambda: fused(testbed, fuse))
