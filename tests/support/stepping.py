"""A driver that stops before or after each thing that it has others do: registry writes, and calls to nodes.

Quicker than killing, and every instant can be had: what ``kill -9`` of the driver leaves at that instant is there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.depth import DEPTH
from tests.support.kept_entries import assert_entries_agree
from tests.support.killing import digests, leftovers

from skyshard.basics.progress import Progress, Watcher
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.plan.ingest_plan import make_plan
from skyshard.ingest.transaction.ingest_run import Ingest
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.store import Store
from skyshard.runtime.base import Handle
from skyshard.testbed import Testbed, source_at

STRIDE = max(1, round(72 / DEPTH))
"""Of the steps at which a driver is stopped, one in so many; which, is drawn."""
STEPS_LIMIT_S = max(900, 9600 // STRIDE)
FEWEST_STEPS = 8
"""All that is stopped has more."""
MORE_STOPS_THAN = (30 - FEWEST_STEPS) // (STRIDE + STRIDE // 2)
"""Of an ingest, which has more than thirty steps, whatever the first one is."""


class Stopped(BaseException):
    """The driver ends here; nothing catches it."""


def some_steps(total: int, stride: int = STRIDE) -> range:
    """Of so many steps each ``stride``-th, from one that is drawn; at least one. A test that fails shows which."""
    chosen = range(random.randint(1, min(stride, total)), total + 1, stride)
    print(f"steps {chosen}")
    return chosen


def steps_on(stride: int = STRIDE) -> Iterator[int]:
    """One step in ``stride`` without an end; the first comes soon enough to be there.

    How far it is to the next one is drawn, too, so that any step may come: to the second one at most ``stride``.
    """
    step, nearest, farthest = random.randint(1, min(stride, FEWEST_STEPS)), 1, stride
    while True:
        print(f"step {step}")
        yield step
        step += random.randint(nearest, farthest)
        nearest, farthest = (stride + 1) // 2, stride + stride // 2


def stop_at(stage: str, done: int = 0) -> Watcher:
    """A watcher that stops the driver when so many steps of a stage are done."""

    def watch(progress: Progress) -> None:
        if progress.stage == stage and progress.done >= done:
            raise Stopped

    return watch


class Fuse:
    """Burns down with each step of an ingest, whatever thread takes it; then no step is taken any more.

    0 never goes off.
    """

    def __init__(self, steps: int = 0) -> None:
        self.steps = steps
        self.burnt = 0

    def step(self) -> None:
        self.burnt += 1
        if 0 < self.steps <= self.burnt:
            raise Stopped

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, with a step before and after it; what it gives is waited for."""

        def stepped(*args: Any, **options: Any) -> Any:
            self.step()
            answer = call(*args, **options)
            if hasattr(answer, "exception"):
                answer.exception()
            self.step()
            return answer

        return stepped


class Fused:
    """A registry with its subjects, or a loader, whose calls burn the fuse; locks and looking things up do not."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if isinstance(found, Store):
            return Fused(found, self._fuse)
        return self._fuse.around(found) if name.startswith(_STEPS) or name == "call" else found


_STEPS = ("begin", "take", "move", "publish", "add", "forget", "mark", "drop_")


def fused(testbed: Testbed, fuse: Fuse) -> Site:
    """The site of a testbed, whose every step burns the fuse."""
    site = testbed.wiring.site()
    nodes: dict[str, Handle[NodeLoader]] = {node: Fused(handle, fuse) for node, handle in site.nodes.items()}
    czar: Any = Fused(site.czar_loader, fuse)
    registry: Any = Fused(site.registry, fuse)
    return replace(site, registry=registry, czar_loader=czar, nodes=nodes)


def stop(testbed: Testbed, source: Path, database: str, fuse: Fuse, **options: Any) -> None:
    """Ingest until the fuse goes off, or to the end."""
    known = tuple(testbed.registry.databases.table_definitions(database))
    plan = make_plan(source_at(source), database=database, known=known, **options)
    Ingest(plan, fused(testbed, fuse)).run()


def steps_of(testbed: Testbed, source: Path, database: str, **options: Any) -> int:
    """How many steps an undisturbed ingest has."""
    fuse = Fuse()
    stop(testbed, source, database, fuse, **options)
    return fuse.burnt


def assert_right(testbed: Testbed, database: str, like: str, *, is_tidy: bool = True) -> None:
    """The database verifies, has the rows of the other one, and nothing is left that belongs to nobody."""
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    assert digests(testbed.registry.replicas.all(database)) == digests(testbed.registry.replicas.all(like))
    assert not is_tidy or list(leftovers(testbed, database)) == []
    assert_entries_agree(testbed.cluster.endpoint(CZAR_NAME), database)


def assert_gone(testbed: Testbed, database: str) -> None:
    """No table, file, key or entry of a database that was never published."""
    for name in ("czar", *testbed.nodes):
        assert not (testbed.cluster.data_dir(name) / database).exists()
    assert testbed.registry.databases.state(database) is None
    assert not (testbed.cluster.folder / "director-keys" / database).exists()
    assert list(leftovers(testbed, database)) == []
