"""Rounds of killing under stores of visits: the writer, a node or the czar's server is struck while tiles are stored.

A writer, forked from this process, stores tiles by threads and says what was acknowledged; most tiles have rows on two
nodes. At a random instant one process is killed with -9, while this one reads. No read may see a part of a tile.
Servers are started again; a writer that was killed is followed by another one that sends all tiles anew. In the end
every tile is there once, and rows are those of the oracle.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.support.asking import ASK_EVERY_S
from tests.support.drawn_tiles import (
    FIELDS,
    drawn_tile,
    expected_history,
    expected_objects,
    region_of,
    sorted_rows,
)

from skyshard.apdb.model import StoreSession, TileRows, VisitId, VisitStore
from skyshard.apdb.stores.open_store import open_store
from skyshard.basics.errors import ClusterError
from skyshard.chunking.sphere import Polygon
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

NODES, WRITERS = 2, 3
WRITER = "writer"
"""A victim that is no server."""
TILES = 9
"""A round."""
MOST_TILES = 60
"""Of a database."""
OVER_NODES = (FIELDS[1], FIELDS[2])
"""Fields over longitude 0, where chunks meet: their tiles have rows in two chunks."""
LONGEST_S = 0.6
"""Of the time from the first acknowledged tile to the kill."""
ENDS_WITHIN_S = 300.0
START = 60_000.0


class VisitKind(StrEnum):
    """What is killed."""

    WRITER = "writer"
    NODE = "node"
    CZAR = "czar"


@dataclass(slots=True)
class VisitStrike:
    """One round: what was killed when, what had been acknowledged, and what was wrong."""

    kind: StrEnum
    victim: str
    delay_s: float
    acknowledged: int = 0
    """Tiles, before the retry."""
    halves: int = 0
    """Tiles that were begun and not whole after the kill: no reader saw them."""
    reads: int = 0
    failed_reads: int = 0
    """A server was down."""
    wrong: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    elapsed_s: float = 0.0


def wide_region(place: tuple[float, float]) -> Polygon:
    """All of a field's rows, wherever objects drift."""
    return region_of(place, 0.02)


class VisitRange:
    """A private cluster with a mutable database, on which rounds leave more and more tiles."""

    since = 0.0
    """Readers look at tiles from then on."""

    def __init__(self, folder: Path, *, rows: int = 0, seed: int = 1) -> None:
        self.cluster = PrivateCluster(folder / "cluster")
        self._random, self._seed = random.Random(seed), seed
        self._tiles: list[TileRows] = []
        self._databases = 0
        self._store: VisitStore | None = None

    def open(self) -> None:
        self.cluster.start(NODES)
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Another database: the oracle takes longer the more tiles there are."""
        if self._store is not None:
            self._store.close()
        self._databases += 1
        self._tiles = []
        with Testbed(self.cluster.folder) as testbed:
            testbed.apdb.create(self._name)
        self._store = open_store(f"cluster:{self._name}", cluster=self.cluster)

    @property
    def _name(self) -> str:
        return f"struck_{self._databases}"

    @contextlib.contextmanager
    def _session(self) -> Iterator[StoreSession]:
        assert self._store is not None
        session = self._store.open_session()
        try:
            yield session
        finally:
            session.close()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
        if self.cluster.exists:
            self.cluster.destroy()

    def strike(self, kind: VisitKind) -> VisitStrike:
        """One round."""
        begun = time.monotonic()
        if len(self._tiles) > MOST_TILES:
            self._begin_anew()
        victim = {VisitKind.CZAR: CZAR_NAME, VisitKind.NODE: f"node{self._random.randint(1, NODES)}"}.get(kind, WRITER)
        strike = VisitStrike(kind, victim, self._random.uniform(0.0, LONGEST_S))
        first = len(self._tiles)
        new = [
            drawn_tile(self._seed, first + n, OVER_NODES[n % 2], START + 11.0 * (first + n), objects=8, noise=3)
            for n in range(TILES)
        ]
        acknowledged = self._under_fire(strike, new)
        strike.acknowledged = len(acknowledged)
        self._compare(strike, [*self._tiles, *new], acknowledged)
        with self._session() as session:
            for tile in new:
                session.store(tile)
        self._tiles += new
        self._compare(strike, self._tiles, {tile.tile.id for tile in self._tiles})
        strike.elapsed_s = time.monotonic() - begun
        return strike

    def _under_fire(self, strike: VisitStrike, new: Sequence[TileRows]) -> set[VisitId]:
        """Have tiles stored, strike in the middle, and read all the time; gives what was acknowledged."""
        context = multiprocessing.get_context("fork")
        said = context.SimpleQueue()
        insists = strike.victim != WRITER
        writer = context.Process(target=_write, args=(self.cluster.folder, self._name, new, said, insists))
        writer.start()
        acknowledged = {said.get()}
        ends = threading.Event()
        reader = threading.Thread(target=self._read_on, args=(strike, new, ends))
        reader.start()
        with self._beside(strike):
            time.sleep(strike.delay_s)
            self._hit(strike, writer)
            writer.join(ENDS_WITHIN_S)
        if insists and writer.exitcode != 0:
            strike.wrong.append(f"the writer ended with {writer.exitcode}")
            writer.kill()
        ends.set()
        reader.join()
        while not said.empty():
            acknowledged.add(said.get())
        return acknowledged

    def _beside(self, strike: VisitStrike) -> AbstractContextManager[object]:
        """What else goes on while tiles are stored, from the first acknowledged tile on; nothing here."""
        return contextlib.nullcontext()

    def _hit(self, strike: VisitStrike, writer: Any) -> None:
        """Kill what the round is to kill; a server is started again."""
        if strike.victim != WRITER:
            self.cluster.kill_server(strike.victim)
            time.sleep(0.1)
            self.cluster.start_server(strike.victim)
        elif writer.pid is not None:
            os.kill(writer.pid, signal.SIGKILL)

    def _read_on(self, strike: VisitStrike, new: Sequence[TileRows], ends: threading.Event) -> None:
        """Read both fields again and again: of each tile all rows or none."""
        whole = Counter({tile.tile.id.visit: tile.sources.num_rows for tile in (*self._tiles, *new)})
        with self._session() as session:
            while not ends.is_set():
                for place in OVER_NODES:
                    try:
                        rows = session.read_sources(wide_region(place), self.since, 1e6, ["visit"]).rows
                    except ClusterError:
                        strike.failed_reads += 1
                        continue
                    except Exception as error:
                        strike.wrong.append(f"a reader failed: {error!r}")
                        return
                    strike.reads += 1
                    seen: Mapping[int, int] = Counter(rows["visit"].to_pylist())
                    if torn := [visit for visit, count in seen.items() if count != whole[visit]]:
                        strike.wrong.append(f"a reader saw a part of visits {torn}")
                ends.wait(ASK_EVERY_S)

    def _compare(self, strike: VisitStrike, sent: Sequence[TileRows], acknowledged: set[VisitId]) -> None:
        """What is stored against the oracle of those tiles that the ledger calls whole."""
        assert self._store is not None
        with self._session() as session:
            found = [(row["visit"], row["detector"]) for row in self._store.stored_tiles().to_pylist()]
            there = {VisitId(*pair) for pair in found}
            if len(there) != len(found):
                strike.wrong.append("a tile is stored twice")
            if lost := acknowledged - there:
                strike.wrong.append(f"acknowledged tiles are lost: {sorted(one.visit for one in lost)}")
            strike.halves += sum(tile.tile.id not in there for tile in sent)
            strike.wrong += _differences(session, [tile for tile in sent if tile.tile.id in there])


def _differences(session: StoreSession, tiles: Sequence[TileRows]) -> list[str]:
    wrong = []
    for place in OVER_NODES:
        region = wide_region(place)
        reads: dict[str, tuple[Any, Any]] = {
            "DiaObjectLast": (session.read_objects(region), expected_objects(tiles, region)),
            "DiaSource": (
                session.read_sources(region, 0.0, 1e6, None), expected_history(tiles, "DiaSource", region, 0.0, 1e6)
            ),
            "DiaForcedSource": (
                session.read_forced(region, 0.0, 1e6, None),
                expected_history(tiles, "DiaForcedSource", region, 0.0, 1e6),
            ),
        }  # fmt: skip
        for name, (reading, wanted) in reads.items():
            if sorted_rows(reading.rows, name) != sorted_rows(wanted, name):  # type: ignore[arg-type]
                wrong.append(f"{name} at {place}: {reading.rows.num_rows} rows for {wanted.num_rows}, or other values")
    return wrong


def _write(folder: Path, name: str, tiles: Sequence[TileRows], said: Any, insists: bool) -> None:
    """The writer's process: says each tile that was acknowledged. One that insists sends a tile until it is."""
    store = open_store(f"cluster:{name}", cluster=folder)

    def work(mine: Sequence[TileRows]) -> None:
        session = store.open_session()
        for tile in mine:
            until = time.monotonic() + ENDS_WITHIN_S
            while True:
                try:
                    session.store(tile)
                    break
                except ClusterError:
                    if not insists or time.monotonic() > until:
                        raise
                    time.sleep(0.05)
            said.put(tile.tile.id)
        session.close()

    with ThreadPoolExecutor(WRITERS) as threads:
        done = [threads.submit(work, tiles[n::WRITERS]) for n in range(WRITERS)]
    store.close()
    for one in done:
        one.result()  # an error of a thread is one of the process
