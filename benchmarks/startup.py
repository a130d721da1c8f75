"""Processor time of whole processes: what a user waits for before anything is done.

    python benchmarks/startup.py [--repeats K] [--against SRC] [--json FILE]

Each case is a process of its own; the cases, and with ``--against`` those of another checkout's ``src``, run in turns.
Figures are user and system seconds together, which a busy machine disturbs less than the clock; "wall" is the clock at
the run of least processor time. Byte code is written to a folder of the benchmark first, as an installed package has
it. A query goes to a private cluster with a small sky.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import skyshard
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.host.shipped_data import data_folder

SOURCE = Path(skyshard.__file__).resolve().parents[1]
COMMAND = ("-m", "skyshard.cli.app")
COUNT = "SELECT COUNT(*) FROM Object"


def cases(cluster: Path) -> dict[str, tuple[str, ...]]:
    """What is started, by the name that the table has."""
    at = ("--cluster", str(cluster))
    return {
        "python -c pass": ("-c", "pass"),
        "import skyshard": ("-c", "import skyshard"),
        "from skyshard.testbed import Testbed": ("-c", "from skyshard.testbed import Testbed"),
        "skyshard --version": (*COMMAND, "--version"),
        "skyshard --help": (*COMMAND, "--help"),
        "skyshard query --help": (*COMMAND, "query", "--help"),
        "skyshard cluster status": (*COMMAND, "cluster", "status", *at),
        "skyshard queries": (*COMMAND, "queries", *at),
        "skyshard query, a count": (*COMMAND, "query", COUNT, "-d", "tiny", *at),
        "skyshard query, CSV": (*COMMAND, "query", COUNT, "-d", "tiny", "--format", "csv", *at),
    }


def completions() -> dict[str, str]:
    """Words on the command line whose end a shell asks for."""
    return {
        "complete commands": "skyshard ",
        "complete commands of a group": "skyshard bench ",
        "complete options": "skyshard query --",
        "complete options of a group's command": "skyshard bench run --",
    }


def run(words: tuple[str, ...], environment: dict[str, str]) -> tuple[float, float]:
    """Processor seconds and seconds of one process, which has to end well."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def environments(source: Path, code: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(source), "PYTHONPYCACHEPREFIX": str(code), "COLUMNS": "120"}


def measure(cluster: Path, sources: dict[str, Path], repeats: int, code: Path) -> list[dict[str, Any]]:
    """Every case of every checkout in turns; the first run of each writes byte code and does not count."""
    work: dict[tuple[str, str], tuple[tuple[str, ...], dict[str, str]]] = {}
    for side, source in sources.items():
        plain = environments(source, code / side)
        for name, words in cases(cluster).items():
            work[name, side] = (words, plain)
        for name, line in completions().items():
            count = str(len(line.split()) - (not line.endswith(" ")))
            asked = {"_SKYSHARD_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": count}
            if side == "now":
                work[name, side] = (COMMAND, plain | asked)
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in work}
    for turn in range(repeats + 1):
        for key, (words, environment) in work.items():
            figures = run(words, environment)
            if turn:
                taken[key].append(figures)
    return [
        {"what": name, "side": side, "cpu_s": min(found)[0], "wall_s": min(found)[1],
         "median_cpu_s": statistics.median(cpu for cpu, _ in found)}
        for (name, side), found in taken.items()
    ]  # fmt: skip


@contextmanager
def sky(folder: Path) -> Iterator[Path]:
    """A cluster of two nodes with a small sky."""
    cluster = PrivateCluster(folder / "cluster")
    cluster.start(2)
    try:
        with skyshard.Testbed(cluster.folder) as testbed:
            testbed.ingest(skyshard.source_at(data_folder("synth", "recipes") / "tiny.yaml", fraction=0.05))
        yield cluster.folder
    finally:
        cluster.destroy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--against", type=Path, help="src of another checkout, measured in turns with this one")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sources = {"now": SOURCE} | ({"before": options.against.resolve()} if options.against else {})
    with tempfile.TemporaryDirectory(prefix="skyshard-startup-") as name, sky(Path(name)) as cluster:
        results = measure(cluster, sources, options.repeats, Path(name) / "code")
    print(f"{'what':<40} {'side':<8} {'cpu s':>8} {'median':>8} {'wall s':>8}")
    for one in sorted(results, key=lambda one: one["what"]):
        print(f"{one['what']:<40} {one['side']:<8} {one['cpu_s']:8.3f} {one['median_cpu_s']:8.3f} {one['wall_s']:8.3f}")
    if options.json:
        machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
        options.json.write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
