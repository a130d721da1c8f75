"""This machine as a hardware file: its cores and memory, its disk and memory as measured."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import psutil

from skyshard.bench.model.hardware import Hardware
from skyshard.host.disk_speed import FILE_BYTES, SECONDS, disk_speed

LOCAL_MB_PER_S = 1000.0
"""What a socket of one machine carries; no network is measured here."""
READ_BYTES = 256 << 20


def this_machine(
    folder: Path, *, nodes: int, file_bytes: int = FILE_BYTES, seconds: float = SECONDS, memory_bytes: int = READ_BYTES
) -> Hardware:
    """One of ``nodes`` equal shares of this machine; a few seconds of disk and memory are used to measure them.

    Args:
        folder: a place on the disk that is meant.
        nodes: nodes that share the machine; each gets its part of cores, memory and disk.
        file_bytes: size of the file that the disk is measured with.
        seconds: longest time for each of three measurements of it.
        memory_bytes: copied to measure the memory; caches hold less.
    """
    cores = len(psutil.Process().cpu_affinity() or []) or os.cpu_count() or 1
    folder.mkdir(parents=True, exist_ok=True)
    disk = disk_speed(folder, threads=cores, file_bytes=file_bytes, seconds=seconds)
    how = "without the page cache" if disk.is_direct else "with the page cache emptied"
    return Hardware(
        version=1,
        name="this-machine",
        description=f"One of {nodes} nodes that share this machine" if nodes > 1 else "This machine",
        source=f"Measured by skyshard bench calibrate; the disk {how}. The network is that of one machine.",
        nodes=nodes,
        cores=_three(cores / nodes),
        memory_gb=_three(psutil.virtual_memory().total / nodes / 1e9),
        memory_mb_per_s=_three(memory_mb_per_s(memory_bytes) * cores / nodes),
        disk_mb_per_s=_three(disk.sequential_mb_per_s / nodes),
        disk_read_ms=_three(disk.read_ms),
        disk_iops=_three(disk.random_per_s / nodes),
        network_mb_per_s=LOCAL_MB_PER_S,
    )


def memory_mb_per_s(size: int) -> float:
    """10^6 bytes a second that one core copies, the best of three."""
    given, taken = np.ones(size, np.uint8), np.empty(size, np.uint8)
    best = np.inf
    for _ in range(3):
        begun = time.perf_counter()
        np.copyto(taken, given)
        best = min(best, time.perf_counter() - begun)
    return size / best / 1e6


def _three(value: float) -> float:
    return float(f"{value:.3g}")
