"""One statement on every way to its answer: as chunks give it, merged, as row images, the oracle, plain MariaDB."""

from __future__ import annotations

import re

import pymysql
from tests.support.raw_server import RawServer, difference_to_raw
from tests.support.same_answer import difference, folded
from tests.support.split_sky import SplitSky

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import Czar
from skyshard.czar.result.answer import QueryResult

OURS = re.compile(r"scisql_|qserv_", re.IGNORECASE)


class EveryWay:
    """A sky that is asked in every way; ``close`` closes it, too."""

    def __init__(self, cluster: PrivateCluster, sky: SplitSky) -> None:
        data_dir, nodes = cluster.data_dir("czar"), {name: cluster.node(name) for name in sky.nodes}
        self.sky = sky
        self.long = Czar(sky, cluster.endpoint("czar"), nodes, data_dir, is_short=False)
        self.images = Czar(sky, cluster.endpoint("czar"), nodes, data_dir, is_short=False, text_rows=-1)
        self.raw = RawServer(cluster.endpoint("mono"), sky.database)

    def close(self) -> None:
        for one in (self.long, self.images, self.raw, self.sky):
            one.close()

    def wrong(self, sql: str, *, is_ordered: bool) -> list[str]:
        """What differs from the oracle, or between the oracle and plain MariaDB."""
        try:
            want = self.sky.mono.execute(sql, self.sky.database)
        except UserError:
            return []
        found = [] if OURS.search(sql) else [f"one server: {self.to_raw(want, sql, is_ordered=is_ordered)}"]
        for name, czar in (("short", self.sky.czar), ("long", self.long), ("images", self.images)):
            found.append(f"{name}: {self.to_oracle(czar, want, sql, is_ordered=is_ordered)}")
        return [f"{one}: {sql}" for one in found if not one.endswith(": ")]

    def to_oracle(self, czar: Czar, want: QueryResult, sql: str, *, is_ordered: bool) -> str:
        try:
            got = czar.execute(sql, self.sky.database)
        except SkyshardError as error:
            return str(error)
        found = difference(got, want, is_ordered=is_ordered)
        return found and difference(folded(got), folded(want), is_ordered=is_ordered)

    def to_raw(self, want: QueryResult, sql: str, *, is_ordered: bool) -> str:
        try:
            return difference_to_raw(want, self.raw.answer(sql), is_ordered=is_ordered)
        except pymysql.MySQLError as error:
            return str(error)
