"""Faults of hosts beyond cable and power: firewall, reset sessions, wrong clock, small disk, slow network.

What needs a package that is not there skips the test with the package's name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.support.hosts import Host

COUNTER = "lost"
_CHAIN = """
  chain come {{
    type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
    {open}
"""


def need(command: str, package: str) -> None:
    """Skip the test where a command is missing."""
    if not shutil.which(command, path="/usr/sbin:/usr/bin:/sbin:/bin"):
        pytest.skip(f"needs the command {command}: install {package}")


def nft(host: Host, rules: str) -> None:
    """Give a host these rules, as ``nft -f`` reads them; ``flush ruleset`` takes all away."""
    need("nft", "nftables")
    host.run("nft", "-f", "-", send=rules)


def close_all_but(host: Host, ports: Iterable[int | str]) -> None:
    """Let nothing in but answers, and sessions to these TCP ports or ranges such as ``7610-7659``."""
    listed = ", ".join(map(str, ports))
    close_by(host, _CHAIN.format(open=f"tcp dport {{ {listed} }} accept" if listed else ""))


def close_by(host: Host, chain: str) -> None:
    """The same by the text of a chain, without the brace at its end: what comes to that is counted."""
    nft(
        host, f"flush ruleset; table inet lab {{\n counter {COUNTER} {{ }}\n{chain}\n counter name {COUNTER}\n }}\n}}\n"
    )


def lost_packets(host: Host) -> int:
    """How many packets a host's firewall did not let in."""
    found = json.loads(host.run("nft", "--json", "list", "counter", "inet", "lab", COUNTER).stdout)
    return next(int(one["counter"]["packets"]) for one in found["nftables"] if "counter" in one)


def reset_sessions(host: Host, port: int) -> None:
    """Reset all sessions of a server on this port of the host, as a middle box does; the client hears of it."""
    host.run("ss", "--kill", "state", "established", "sport", "=", f":{port}")


def clock(shift: str) -> dict[str, str]:
    """Variables of a command whose clock is wrong, such as by ``+1h``; it sleeps and measures time rightly."""
    need("faketime", "faketime")
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return {"LD_PRELOAD": str(library), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def small_disk(host: Host, place: Path | str, size: str) -> None:
    """Mount a disk of this size, such as ``64m``, over a folder of the host, or give the one there another size."""
    is_there = host.run("mountpoint", "--quiet", str(place), check=False).returncode == 0
    options = f"remount,size={size}" if is_there else f"size={size}"
    host.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place))


def slow_network(host: Host, rate: str) -> None:
    """Let packets leave a host at this rate only, such as ``80mbit``."""
    shape = ["rate", rate, "burst", "128kb", "latency", "50ms"]
    host.run("tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", *shape)
