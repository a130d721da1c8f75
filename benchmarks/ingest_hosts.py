"""Ingest over two hosts beside two private nodes on the same cores: seconds of the ingest, processor seconds a row.

    python benchmarks/ingest_hosts.py [--source RECIPE] [--replicas 1] [--rounds 3] [--here] [--json FILE]

Hosts are namespaces of this machine with TCP and TLS between them, one core each; the private cluster has two tasks at
a time, on a private Ray. Rounds take turns. ``--here``: the source is a folder that only the czar's host sees, so that
the driver partitions and all rows go through blocks. Processor seconds are those of all processes, servers and Ray
included (control group ``cpuacct``); the rate is of the stages, without the start of processes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.hosts import Lab
from tests.support.ray_lab import ray_lab

from skyshard.cluster.private_cluster import PrivateCluster

NODES = 2
_STAGES = tuple(f"{stage}_s" for stage in ("prepare", "partition", "load", "director index", "quality", "publish"))
GROUP = Path("/sys/fs/cgroup/cpuacct")
Ingest = Callable[[str], "subprocess.CompletedProcess[str]"]


@contextmanager
def counted() -> Iterator[Callable[[], float]]:
    """Processor seconds of this process and all that it starts from now on; nan where the system does not count."""
    group = GROUP / f"skyshard-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        yield lambda: float("nan")
        return
    (group / "tasks").write_text(str(os.getpid()))
    try:
        yield lambda: int((group / "cpuacct.usage").read_text()) / 1e9
    finally:
        (GROUP / "tasks").write_text(str(os.getpid()))


def once(ingest: Ingest, database: str, used_s: Callable[[], float]) -> dict[str, float]:
    """One ingest: rows, seconds of its stages and of the whole command, processor seconds."""
    before_s, start = used_s(), time.perf_counter()
    done = ingest(database)
    whole_s = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stderr)
    report = json.loads(done.stdout)
    return {
        "rows": sum(table["rows"] for table in report["tables"]), "stages_s": sum(report["stages_s"].values()),
        "whole_s": whole_s, "cpu_s": used_s() - before_s,
    } | {f"{stage}_s": seconds for stage, seconds in report["stages_s"].items()}  # fmt: skip


def compared(source: Path, replicas: int, rounds: int, *, is_here: bool) -> dict[str, list[dict[str, float]]]:
    """The rounds of both, in turns."""
    found: dict[str, list[dict[str, float]]] = {"private": [], "hosts": []}
    options = ["--replicas", str(replicas), "--json"]
    with counted() as used_s, closing(Lab()) as lab, tempfile.TemporaryDirectory(dir="/tmp", prefix="bench-") as name:
        private = PrivateCluster(Path(name) / "cluster")
        private.start(NODES)
        try:
            with ray_lab(lab, NODES) as made:
                theirs = made.czar.folder / "tmp" / "catalog" if is_here else source
                if is_here:
                    shutil.copytree(source, theirs)
                command = [sys.executable, "-m", "skyshard.cli.app", "ingest", str(source), *options]
                command += ["--runtime", "ray", "--cluster", str(private.folder), "--database"]
                ways: dict[str, Ingest] = {
                    "private": lambda one: subprocess.run([*command, one], capture_output=True, text=True, check=False),
                    "hosts": lambda one: made.skyshard("ingest", str(theirs), *options, "--database", one, check=False),
                }
                for number in range(rounds):
                    for way, ingest in ways.items():
                        found[way].append(once(ingest, f"d{number}", used_s))
                        print(way, found[way][-1], file=sys.stderr, flush=True)
        finally:
            private.destroy()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=Path(__file__).parents[1] / "synth" / "recipes" / "tiny.yaml")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = compared(given.source.resolve(), given.replicas, given.rounds, is_here=given.here)
    result = {
        way: {
            "rows_per_s": median(one["rows"] / one["stages_s"] for one in rounds),
            "cpu_us_per_row": median(1e6 * one["cpu_s"] / one["rows"] for one in rounds),
            "whole_s": median(one["whole_s"] for one in rounds),
        }
        | {key: median(one[key] for one in rounds) for key in rounds[0] if key in _STAGES}
        for way, rounds in found.items()
    }
    result["hosts / private"] = {name: result["hosts"][name] / result["private"][name] for name in result["private"]}
    print(json.dumps(result, indent=2))
    if given.json:
        given.json.write_text(json.dumps({"summary": result, "rounds": found}, indent=2))


if __name__ == "__main__":
    main()
