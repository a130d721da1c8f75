"""Speed of the private cluster and of Ray: made anew, stopped, started again, destroyed; sessions and calls.

    python benchmarks/cluster.py [--nodes N] [--repeats K] [--ray]

Each figure is the best of K repeats; "worst" stands beside it, so that a busy machine shows.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Endpoint, connect
from skyshard.runtime import open_runtime

SESSIONS = 200
CALLS = 500

Times = dict[str, list[float]]


@contextmanager
def timed(times: Times, what: str, count: int = 1) -> Iterator[None]:
    start = time.perf_counter()
    yield
    times[what].append((time.perf_counter() - start) / count)


def measure_cluster(folder: Path, nodes: int, times: Times) -> None:
    cluster = PrivateCluster(folder / "cluster")
    with timed(times, f"new cluster of {nodes} nodes and the czar"):
        cluster.start(nodes)
    try:
        measure_sessions(cluster.endpoint("node1"), times)
        with timed(times, "mono, first start"):
            cluster.start_mono()
        with timed(times, "stop"):
            cluster.stop()
        with timed(times, "start again"):
            cluster.start()
    finally:
        with timed(times, "destroy"):
            cluster.destroy()


def measure_sessions(endpoint: Endpoint, times: Times) -> None:
    with timed(times, "open and close a session", SESSIONS):
        for _ in range(SESSIONS):
            connect(endpoint).close()
    with connect(endpoint) as connection, timed(times, "SELECT 1", CALLS):
        for _ in range(CALLS):
            connection.rows("SELECT 1")


def measure_ray(nodes: int, times: Times) -> None:
    names = [f"node{number}" for number in range(1, nodes + 1)]
    with timed(times, "Ray: open and close"):
        with timed(times, "Ray: open"):
            runtime = open_runtime("ray", names)
        with runtime:
            with timed(times, f"Ray: {nodes} actors answer"):
                handles = [runtime.actor(name, list[int], node=name) for name in names]
                for future in [handle.call(list.copy) for handle in handles]:
                    future.result()
            with timed(times, "Ray: a call", CALLS):
                for _ in range(CALLS):
                    handles[0].call(list.copy).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ray", action="store_true", help="measure Ray too")
    options = parser.parse_args()
    times: Times = defaultdict(list)
    folder = Path(tempfile.mkdtemp(prefix="skyshard-bench-"))
    try:
        for _ in range(options.repeats):
            measure_cluster(folder, options.nodes, times)
            if options.ray:
                measure_ray(options.nodes, times)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for what, taken in times.items():
        print(f"{what:40s} best {min(taken) * 1e3:9.2f} ms   worst {max(taken) * 1e3:9.2f} ms")


if __name__ == "__main__":
    main()
