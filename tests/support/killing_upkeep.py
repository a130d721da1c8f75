"""Rounds of killing while a mutable database is stored to, published, purged, changed and rid of a month, all at once.

As ``killing_visits``, with a keeper beside the writer: a process that publishes, purges objects that were not seen
lately, gives sources to Solar System objects and drops an old month, again and again. Killed with -9 is the writer, the
keeper, a node's server or the czar's. When all was sent and kept again, each tile is there once, in the database and in
the published copy; objects are the newest of those that were not purged; the old month is gone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tests.support.drawn_tiles import drawn_tile, expected_history, expected_objects, sorted_rows
from tests.support.killing_visits import (
    ENDS_WITHIN_S,
    LONGEST_S,
    MOST_TILES,
    NODES,
    OVER_NODES,
    START,
    TILES,
    WRITER,
    VisitRange,
    VisitStrike,
    wide_region,
)
from tests.support.warm_processes import WarmProcess

from skyshard.apdb.model import StoreSession, TableName
from skyshard.apdb.stores.open_store import open_store
from skyshard.apdb.tables.apdb_tables import apdb_table, month_of
from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.testbed import Testbed

KEEPER = "keeper"
OLD = START - 500.0
"""Of the tiles of the month that is dropped."""
DAY = 11.0
"""Days from one tile to the next."""
CHANGED = ("ssObjectId", "ssObjectReassocTimeMjdTai")
LONGEST_KEEPING_S = 3.0
"""Of the time to the kill, for the keeper's work takes longer than the writer's."""


class UpkeepKind(StrEnum):
    """What is killed."""

    WRITER = WRITER
    KEEPER = KEEPER
    NODE = "node"
    CZAR = "czar"


class UpkeepRange(VisitRange):
    """A private cluster with a mutable database and its published copy."""

    since = START - 1.0

    def open(self) -> None:
        self._keeping: tuple[float, float] = (0.0, 0.0)
        self._keeper: WarmProcess | None = None
        super().open()

    def _begin_anew(self) -> None:
        """With two tiles of long ago, which are published."""
        super()._begin_anew()
        self._old = [
            drawn_tile(self._seed, 90_000 + n, place, OLD + n, objects=8) for n, place in enumerate(OVER_NODES)
        ]
        with self._session() as session:
            for tile in self._old:
                session.store(tile)
        with Testbed(self.cluster.folder) as testbed:
            testbed.apdb.publish(self._name, self._copy, is_all=True)

    @property
    def _copy(self) -> str:
        return f"{self._name}_copy"

    def strike(self, kind: UpkeepKind) -> VisitStrike:  # type: ignore[override]
        """One round."""
        begun = time.monotonic()
        if len(self._tiles) > MOST_TILES:
            self._begin_anew()
        servers = {UpkeepKind.CZAR: CZAR_NAME, UpkeepKind.NODE: f"node{self._random.randint(1, NODES)}"}
        longest_s = LONGEST_S if kind is UpkeepKind.WRITER else LONGEST_KEEPING_S
        strike = VisitStrike(kind, servers.get(kind, kind.value), self._random.uniform(0.0, longest_s))
        first = len(self._tiles)
        times = [START + DAY * (first + n) for n in range(TILES)]
        new = [
            drawn_tile(self._seed, first + n + 1, OVER_NODES[n % 2], moment, objects=8, noise=3)
            for n, moment in enumerate(times)
        ]
        self._keeping = times[0] - 1.0, times[-1] + 0.5
        acknowledged = self._under_fire(strike, new)
        strike.acknowledged = len(acknowledged)
        with self._session() as session:
            there = {(row["visit"], row["detector"]) for row in self._stored()}
            if lost := {(one.visit, one.detector) for one in acknowledged} - there:
                strike.wrong.append(f"acknowledged tiles are lost: {sorted(lost)}")
            strike.halves += sum((one.tile.id.visit, 0) not in there for one in new)
            for tile in new:
                session.store(tile)
            self._tiles += new
            self._end_keeping(strike)
            strike.wrong += self._in_database(session)
        strike.wrong += self._in_copy()
        strike.elapsed_s = time.monotonic() - begun
        return strike

    def _stored(self) -> list[dict[str, Any]]:
        assert self._store is not None
        found: list[dict[str, Any]] = self._store.stored_tiles().to_pylist()
        return found

    @contextmanager
    def _beside(self, strike: VisitStrike) -> Iterator[None]:
        """A keeper, which ends when the writer has."""
        ends = self.cluster.folder.parent / "ends"
        ends.unlink(missing_ok=True)
        self._keeper = self._started(ends)
        try:
            yield
        finally:
            ends.touch()
            code = self._keeper.wait(ENDS_WITHIN_S)
            if code and strike.victim != KEEPER:
                strike.wrong.append(f"the keeper ended with {code}: {self._log.read_text()[-500:]}")

    def _started(self, ends: Path) -> WarmProcess:
        given = (self.cluster.folder, self._name, self._copy, *self._keeping, ends)
        return WarmProcess(self._log, os.environ, keep, *given)

    @property
    def _log(self) -> Path:
        return self.cluster.folder.parent / "keeper.log"

    def _hit(self, strike: VisitStrike, writer: Any) -> None:
        if strike.victim != KEEPER:
            super()._hit(strike, writer)
        elif self._keeper is not None:
            self._keeper.kill()

    def _end_keeping(self, strike: VisitStrike) -> None:
        """All of it once more, with nobody beside it."""
        if code := self._started(self.cluster.folder.parent / "ends").wait(ENDS_WITHIN_S):
            strike.wrong.append(f"the last keeper ended with {code}: {self._log.read_text()[-500:]}")

    def _in_database(self, session: StoreSession) -> list[str]:
        wrong = []
        if len(self._stored()) != len(self._tiles) + len(self._old):
            wrong.append(f"{len(self._stored())} tiles are stored")
        for place in OVER_NODES:
            region = wide_region(place)
            last = expected_objects([*self._old, *self._tiles], region)
            last = last.filter(pc.greater_equal(last["lastDiaSourceMjdTai"], self._keeping[0]))
            wrong += _unlike("DiaObjectLast", place, session.read_objects(region).rows, last)
            sources = session.read_sources(region, 0.0, 1e6, None).rows
            forced = session.read_forced(region, 0.0, 1e6, None).rows
            histories: list[tuple[TableName, pa.Table]] = [("DiaSource", sources), ("DiaForcedSource", forced)]
            for name, rows in histories:
                wrong += _unlike(name, place, rows, expected_history(self._tiles, name, region, 0.0, 1e6))
            wrong += self._not_given(sources)
        return wrong

    def _not_given(self, sources: pa.Table) -> list[str]:
        """Sources of no object of the last days, which the keeper has given to Solar System objects."""
        recent = sources.filter(pc.greater(sources["midpointMjdTai"], self._keeping[1] - DAY))
        alone = recent.filter(pc.is_null(recent["diaObjectId"]))
        is_given = alone["ssObjectId"].to_pylist() == alone["diaSourceId"].to_pylist()
        return [] if is_given else ["sources of no object were not reassociated"]

    def _in_copy(self) -> list[str]:
        """Every version and source of every tile, once, whatever was dropped or changed meanwhile."""
        wrong = []
        tiles = [*self._old, *self._tiles]
        with Testbed(self.cluster.folder) as testbed:
            for name, parts in (
                ("DiaObject", [tile.objects for tile in tiles]),
                ("DiaSource", [tile.sources for tile in tiles]),
                ("DiaForcedSource", [tile.forced for tile in tiles]),
            ):
                columns = [*apdb_table(name).key, "ra", "dec", apdb_table(name).time]
                columns = list(dict.fromkeys(columns))
                listed = ", ".join(f"`{column}`" for column in columns)
                found = _tuples(testbed.query(f"SELECT {listed} FROM {name}", database=self._copy).table)
                wanted = _tuples(pa.concat_tables(part.select(columns) for part in parts))
                if found != wanted:
                    wrong.append(f"the copy's {name}: {len(found)} rows for {len(wanted)}, or other values")
        return wrong


def _tuples(rows: pa.Table) -> list[tuple[Any, ...]]:
    return sorted(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def _unlike(name: TableName, place: tuple[float, float], found: pa.Table, wanted: pa.Table) -> list[str]:
    """What differs, but for the columns that are changed in place."""
    kept = [column for column in wanted.column_names if column not in CHANGED]
    if sorted_rows(found, name).select(kept) == sorted_rows(wanted, name).select(kept):
        return []
    return [f"{name} at {place}: {found.num_rows} rows for {wanted.num_rows}, or other values"]


def keep(folder: Path, name: str, copy: str, purged_before: float, now: float, ends: Path) -> int:
    """The keeper's process: does all that it does again and again, and once more after the file ``ends`` is there."""
    is_last = False
    while not is_last:
        is_last = ends.exists()
        for action in (_publish, _purge, _reassociate, _drop):
            _until_done(lambda action=action: action(folder, name, copy, purged_before, now))  # type: ignore[misc]
    return 0


def _until_done(work: Callable[[], object]) -> None:
    until = time.monotonic() + ENDS_WITHIN_S
    while True:
        try:
            work()
            return
        except SkyshardError as error:
            print(error, flush=True)
            is_down = isinstance(error, ClusterError) or "is not running" in str(error)  # how a command refuses
            if not is_down or time.monotonic() > until:
                raise
            time.sleep(0.1)


def _publish(folder: Path, name: str, copy: str, *_: float) -> None:
    with Testbed(folder) as testbed:
        testbed.apdb.publish(name, copy, at_once=4, is_all=True)


def _purge(folder: Path, name: str, copy: str, before: float, now: float) -> None:
    with closing(open_store(f"cluster:{name}", cluster=folder)) as store:
        store.purge_objects(before)


def _reassociate(folder: Path, name: str, copy: str, before: float, now: float) -> None:
    with Testbed(folder) as testbed:
        testbed.apdb.upkeep(name, "reassociate", now=now)


def _drop(folder: Path, name: str, *_: object) -> None:
    with Testbed(folder) as testbed:
        testbed.apdb.drop_month(name, month_of(OLD))
