"""`skyshard cluster check` of many nodes: seconds, and processor seconds of the command, in turns of two checkouts.

    python benchmarks/check_hosts.py [--nodes 150] [--rounds 5] [--before CHECKOUT]

The nodes are one server on another host (a namespace of this machine) by as many names, with TLS and passwords, so that
what is measured is the command and not 150 servers; no Ray is asked. The server works on the same cores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.authority import Authority
from tests.support.hosts import Host, Lab
from tests.support.network_server import NetworkServer, Servers

HERE = Path(__file__).resolve().parents[1]
_RUN = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
ran = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"s": time.perf_counter() - start, "cpu_s": used.ru_utime + used.ru_stime, "said": ran.stdout}))
"""


def checked(czar: Host, cluster: Path, checkout: Path) -> dict[str, float]:
    """One check by the program of a checkout: seconds, processor seconds, and how many nodes it reached."""
    command = (sys.executable, "-m", "skyshard.cli.app", "cluster", "check", "--cluster", str(cluster), "--json")
    ran = czar.run(sys.executable, "-c", _RUN, *command, variables={"PYTHONPATH": str(checkout / "src")})
    found: dict[str, Any] = json.loads(ran.stdout)
    servers = json.loads(found.pop("said"))["servers"]
    return found | {"reached": sum(one["server"] is not None for one in servers)}


def site(lab: Lab, nodes: int) -> tuple[Host, Path]:
    """A czar's host whose cluster file names one server of another host so many times; its cluster folder."""
    czar, node = lab.add("czar"), lab.add("node1")
    authority, servers = Authority(lab.folder / "authority"), Servers(lab.folder / "template")
    own = servers.start(czar, authority.issue(czar.folder / "tls", "czar", czar.address))
    names = [f"n{number + 1}" for number in range(nodes)]
    servers.start(node, authority.issue(node.folder / "tls", *names, node.address))
    with (czar.folder / "etc" / "hosts").open("a") as hosts:
        hosts.write(f"{node.address} {' '.join(names)}\n")
    (czar.folder / "cluster.yaml").write_text(_cluster_file(czar, own, names))
    czar.skyshard("cluster", "start", "--file", str(czar.folder / "cluster.yaml"), "--cluster", str(czar.folder / "c"))
    return czar, czar.folder / "c"


def _cluster_file(czar: Host, own: NetworkServer, names: list[str]) -> str:
    lines = [
        "version: 1",
        "name: many",
        f"czar: {{socket: {own.beside.socket}, data: {own.data}}}",
        f"tls: {{ca: {czar.folder}/tls/ca.crt, cert: {czar.folder}/tls/tls.crt, key: {czar.folder}/tls/tls.key}}",
        f"passwords: {czar.folder}/passwords",
        "nodes:",
        *(f"- {{name: {name}, host: {name}, data: /data/{name}}}" for name in names),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, help="another checkout to take turns with")
    given = parser.parse_args()
    ways = {"now": HERE} | ({"before": given.before.resolve()} if given.before else {})
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    with closing(Lab()) as lab:
        czar, cluster = site(lab, given.nodes)
        for _ in range(given.rounds):
            for way, checkout in ways.items():
                found[way].append(checked(czar, cluster, checkout))
                print(f"load {os.getloadavg()[0]:.1f}", way, found[way][-1], file=sys.stderr, flush=True)
                time.sleep(0.5)
    print(json.dumps({w: {key: median(one[key] for one in rows) for key in rows[0]} for w, rows in found.items()}))


if __name__ == "__main__":
    main()
