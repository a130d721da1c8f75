"""Asks the workers beside nodes who they are: in this process where a node's files are here, else on the Ray there."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from skyshard.basics.errors import SkyshardError, words_of
from skyshard.cluster.cluster import Cluster
from skyshard.cluster.node import Node
from skyshard.runtime import Runtime, open_runtime
from skyshard.testbed.check.asked_workers import AskedWorkers

if TYPE_CHECKING:
    from skyshard.node.messages import Hello

WORKERS_S = 30.0
"""All workers together have so long: Ray makes a process for each, which takes seconds on a busy host."""
LEAST_S = 5.0
"""A worker has at least so long."""
TIMES_AS_LONG = 2.0
"""Once others have answered, a worker has so many times as long as the slowest of them took: hosts are alike busy."""


def ask_workers(
    cluster: Cluster, nodes: Mapping[str, Node], silent: Callable[[], Collection[str]] = frozenset
) -> AskedWorkers:
    """Ask the workers of these nodes, all at once; never raises what is of the cluster.

    Args:
        silent: the nodes whose workers are not asked, for their hosts may be gone; called when Ray has been joined.
    """
    if cluster.ray is None:
        with open_runtime("inline", tuple(nodes)) as runtime:
            left_out = silent()
            here = [node for name, node in nodes.items() if node.is_here and name not in left_out]
            return AskedWorkers(*heard(runtime, here))
    try:
        with open_runtime("ray", tuple(nodes), join=cluster.ray) as runtime:
            left_out, joined = silent(), runtime.joined()
            there = [node for name, node in nodes.items() if name in joined and name not in left_out]
            return AskedWorkers(*heard(runtime, there), joined)
    except SkyshardError as error:
        return AskedWorkers(ray_fault=words_of(error), is_retryable=getattr(error, "retryable", False))


def heard(runtime: Runtime, nodes: Sequence[Node]) -> tuple[dict[str, Hello], dict[str, str]]:
    """What these workers say, and why others say nothing."""
    asked: dict[Future[Hello], str] = {}
    unheard: dict[str, str] = {}
    begun = time.monotonic()
    for node in nodes:
        with _noting(unheard, node.name):
            asked[_asked(runtime, node)] = node.name
    hellos: dict[str, Hello] = {}
    waiting, within_s, took_s = set(asked), WORKERS_S, 0.0
    while waiting and took_s < within_s:
        done, waiting = wait(waiting, within_s - took_s, FIRST_COMPLETED)
        took_s = time.monotonic() - begun
        for future in done:
            with _noting(unheard, asked[future]):
                hellos[asked[future]] = future.result()
        within_s = _within_s(took_s) if hellos and done else within_s
    silent = f"its worker gives no answer in {took_s:.0f} s; see what `skyshard node run` wrote"
    return hellos, unheard | {asked[future]: silent for future in waiting}


def _within_s(slowest_s: float) -> float:
    """How long workers have, from being asked, when one that answered took so long.

    >>> _within_s(1.0), _within_s(9.0), _within_s(20.0)
    (5.0, 18.0, 30.0)
    """
    return min(WORKERS_S, max(LEAST_S, TIMES_AS_LONG * slowest_s))


def _asked(runtime: Runtime, node: Node) -> Future[Hello]:
    from skyshard.node import MariaDBLoader, NodeLoader  # what works on images takes as long to import as a check takes
    from skyshard.node.messages import HelloOrder

    made = partial(MariaDBLoader, node.name, node.beside, str(node.data))
    handle = runtime.actor(f"hello-{node.name}", made, node=node.name)
    return handle.call(NodeLoader.hello, HelloOrder(secrets.token_hex(16), str(node.staging)))


@contextmanager
def _noting(unheard: dict[str, str], name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever a worker of another release raises
        unheard[name] = f"its worker cannot be asked: {words_of(error)}"
