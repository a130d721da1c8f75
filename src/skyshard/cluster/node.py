"""A node as the rest of the house sees it: one MariaDB server and its host, here or elsewhere. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skyshard.db.connection import Endpoint


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a cluster."""

    name: str
    sql: Endpoint
    """The server, as it is reached from the czar's host."""
    beside: Endpoint
    """The server, as the worker beside it reaches it."""
    data: Path
    """The server's data folder, as its worker sees it; the czar's host may have none of that name."""
    staging: Path
    """Where the node's host keeps what an ingest has under way; best on the disk of ``data``."""
    is_here: bool
    """Its files can be read and written by this process: its server is a private one."""
    cores: int = 0
    """Of its host; 0: as many as this host has, and shared with the nodes beside it."""
    scan_threads: int = 0
    """At work on scans for one czar; 0: its share of the cores."""
