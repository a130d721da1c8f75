"""What the first process of a switch and of a host does, as shell scripts. No I/O.

A switch is a network of its own with a bridge. A host sees the machine's disk read-only. Its own are: its folder (under
the same path as the test sees it, and as ``own`` under the same path as every host sees its own), ``/tmp``, the home
folder, ``/run``, ``/dev/shm``, its name, ``/etc/hosts``, ``/etc/machine-id``. Both live as long as somebody holds
their input open.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

BRIDGE = "br0"
OWN = "own"
"""Beside the hosts' folders: the folder of the host that one is on."""
READY = "ready"
_PID = "read pid rest </proc/self/stat; mount -t proc proc /proc"
"""Of the outer process space, which the mounted /proc still shows; then the own one."""
_NO_IPV6 = "[ ! -e /proc/sys/net/ipv6 ] || echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"
"""Its own packets would be counted among those that a firewall drops."""
_TO_THE_END = f"echo {READY} $pid; cat >/dev/null"


def switch_script(folder: Path) -> str:
    """A bridge, tried with a pair of plugs; when all has ended, the folder of all hosts goes."""
    place = shlex.quote(str(folder))
    lines = [
        _PID,
        _NO_IPV6,
        f"ip link add {BRIDGE} type bridge && ip link set {BRIDGE} up",
        "ip link add tried type veth peer name other && ip link del tried",
        _TO_THE_END,
        f"i=0; until rm -rf {place} 2>/dev/null || [ $i = 50 ]; do i=$((i + 1)); sleep 0.1; done",
    ]
    return "set -e\n" + "\n".join(lines)


def host_script(name: str, folder: Path, home: Path, kept: Iterable[Path]) -> str:
    """A host whose disk is ``folder``; ``kept`` are folders that stay visible, read-only, wherever they lie."""
    own = {Path("/tmp"): folder / "tmp"}
    if home != Path("/") and home.is_dir() and not any(path in (home, *home.parents) for path in kept):
        own[home] = folder / "home"
    lines = [
        _PID,
        f"hostname {shlex.quote(name)}",
        "mount --make-rprivate /",
        *(_bind(folder / "etc" / file, Path("/etc") / file) for file in ("hosts", "machine-id")),
    ]
    for place, disk in own.items():
        lines += [_shown(path, place, disk) for path in kept if place in path.parents]
        if place in folder.parents:
            own_name = disk / folder.parent.relative_to(place) / OWN
            lines += [
                _shown(folder, place, disk, ""),
                f"mkdir -p {_q(own_name)}; mount --bind {_q(folder)} {_q(own_name)}",
            ]
        lines.append(f"mount --rbind {_q(disk)} {_q(place)}")
    lines.append("mount -o remount,bind,ro / 2>/dev/null || true  # an ordinary user may not, and owns little of it")
    lines += [f"mount -t tmpfs -o size=600m,mode=1777 tmpfs {place}" for place in ("/run", "/dev/shm")]
    return "set -e\n" + "\n".join([*lines, _NO_IPV6, "ip link set lo up", _TO_THE_END])


def outermost(paths: Iterable[Path]) -> list[Path]:
    """Those that lie in no other one, each once, in order.

    >>> [str(path) for path in outermost([Path("/a/b"), Path("/a"), Path("/c")])]
    ['/a', '/c']
    """
    found = sorted({Path(os.path.realpath(path)) for path in paths})
    return [path for path in found if not any(other in path.parents for other in found)]


def _shown(path: Path, place: Path, disk: Path, mode: str = "ro") -> str:
    """Keep a folder below ``place`` visible, when ``disk`` is put over ``place``."""
    below = disk / path.relative_to(place)
    shut = f"; mount -o remount,bind,{mode} {_q(below)} 2>/dev/null || true" if mode else ""
    return f"mkdir -p {_q(below)}; mount --bind {_q(path)} {_q(below)}{shut}"


def _bind(source: Path, target: Path) -> str:
    return f"[ ! -e {_q(target)} ] || mount --bind {_q(source)} {_q(target)}"


def _q(path: Path) -> str:
    return shlex.quote(str(path))
