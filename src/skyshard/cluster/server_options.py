"""The options of a private server: what each is for, and the caches sized for the host. No I/O.

Every server runs with ``--no-defaults``: a machine's own configuration must not leak into private nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.tls import Tls

OPEN_FILES = 200_000
MAX_CONNECTIONS = 1000
MIB = 2**20
KEYS_OF_MEMORY = 1 / 32
"""Share of the host's memory for MyISAM's key buffers of all nodes; the system caches its rows in what is free."""
POOLS_OF_MEMORY = 1 / 8
"""Share for InnoDB's pools of all nodes: they hold rows and keys, which InnoDB reads past the system's cache."""
PRIVATE = ("skip-networking", "secure-file-priv=")
"""Options of a server that nobody reaches but through its socket."""
NETWORK_ENVIRONMENT = {"UMASK": "0664", "UMASK_DIR": "0770"}
"""LOAD_FILE gives only files that others may read; others may not enter the data folder."""
PAGES_OF_MEMORY = 1 / 16
"""Share for Aria's page caches of all nodes: they hold rows and keys, and so does the system's cache."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Cache sizes of a server, in MiB. Memory is taken as it is used, but for what manages it: 19 % of a key buffer,
    5 % of Aria's page cache and 2 % of InnoDB's pool."""

    key_buffer_mib: int = 256
    innodb_buffer_mib: int = 64
    aria_cache_mib: int = 64
    innodb_log_mib: int = 16


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server that others reach listens, and how it proves who it is."""

    address: str
    """Of this host; ``*`` for all of them."""
    port: int
    tls: Tls | None
    """``cert`` and ``key`` of the server; None where it listens on loopback only."""


def node_tuning(nodes: int, memory_bytes: int) -> Tuning:
    """Caches of each of ``nodes`` servers on one host with so much memory.

    >>> node_tuning(3, 24 * 2**30)
    Tuning(key_buffer_mib=256, innodb_buffer_mib=1024, aria_cache_mib=512, innodb_log_mib=16)
    """
    share_mib = memory_bytes / MIB / nodes
    return Tuning(
        _whole(share_mib * KEYS_OF_MEMORY, least=8),
        _whole(share_mib * POOLS_OF_MEMORY, least=32),
        _whole(share_mib * PAGES_OF_MEMORY, least=16),
    )


def czar_tuning(memory_bytes: int) -> Tuning:
    """Caches of the czar's own server, which holds the registry (InnoDB) and merges partial results.

    >>> czar_tuning(24 * 2**30)
    Tuning(key_buffer_mib=128, innodb_buffer_mib=256, aria_cache_mib=64, innodb_log_mib=16)
    """
    memory_mib = memory_bytes / MIB
    return Tuning(
        min(128, _whole(memory_mib / 64, least=8)),
        min(256, _whole(memory_mib / 32, least=32)),
        min(64, _whole(memory_mib / 64, least=16)),
    )


def _whole(size_mib: float, *, least: int) -> int:
    """A size in whole steps of 8 MiB, which every engine takes as it is."""
    return max(least, int(size_mib) // 8 * 8)


def server_options(tuning: Tuning, *, open_files: int) -> list[str]:
    """Options that hold for initialising and for running.

    ``open_files`` is what the process may open; each MyISAM chunk table takes two files.
    """
    return [
        *_storage(tuning),
        *_sessions(open_files),
        "character-set-server=latin1",
        "collation-server=latin1_swedish_ci",
        "default-time-zone=+00:00",
        "lower-case-table-names=0",
        "local-infile=ON",
        "log-warnings=1",
        "performance-schema=OFF",
        "feedback=OFF",
    ]


def _storage(tuning: Tuning) -> list[str]:
    return [
        f"key-buffer-size={tuning.key_buffer_mib}M",
        "myisam-sort-buffer-size=512M",
        # After a crash the index is rebuilt when the table is opened; the data file is left as it is, digests judge it.
        "myisam-recover-options=QUICK",
        "concurrent-insert=AUTO",
        "bulk-insert-buffer-size=64M",
        f"innodb-buffer-pool-size={tuning.innodb_buffer_mib}M",
        f"innodb-log-file-size={tuning.innodb_log_mib}M",
        "innodb-buffer-pool-dump-at-shutdown=OFF",
        "innodb-buffer-pool-load-at-startup=OFF",
        "innodb-data-file-path=ibdata1:12M:autoextend",
        "innodb-autoextend-increment=8",
        "innodb-temp-data-file-path=ibtmp1:4M:autoextend",
        f"aria-pagecache-buffer-size={tuning.aria_cache_mib}M",
        "aria-log-file-size=64M",
        # Statistics tables are empty here; looking for them costs one read for each chunk table that is opened.
        "use-stat-tables=NEVER",
    ]


def _sessions(open_files: int) -> list[str]:
    table_cache = max(400, min(40_000, (open_files - MAX_CONNECTIONS - 100) // 2))
    return [
        f"open-files-limit={open_files}",
        f"table-open-cache={table_cache}",
        "table-open-cache-instances=2",
        "table-definition-cache=40000",
        f"max-connections={MAX_CONNECTIONS}",
        # Each session gets a thread of its own: one that a czar has moved to some processors must not serve another.
        "thread-cache-size=0",
        "max-allowed-packet=1G",
        "sort-buffer-size=4M",
        "join-buffer-size=2M",
        "read-buffer-size=1M",
        "read-rnd-buffer-size=1M",
        "tmp-memory-table-size=256M",
        "max-heap-table-size=1G",
        "query-cache-type=OFF",
        "query-cache-size=0",
        "skip-name-resolve",
    ]


def network_options(listening: Listening, data: Path) -> list[str]:
    """Options of a running server that others reach, in place of :data:`PRIVATE`: a port, TLS, what becomes of a lost
    client, and the one folder whose files may leave it through a session.

    Its environment is :data:`NETWORK_ENVIRONMENT`.
    """
    found = [
        f"bind-address={listening.address}",
        f"port={listening.port}",
        # A client that is gone keeps its locks until the system finds out: 2 h unless it asks.
        "tcp-keepalive-time=30",
        "tcp-keepalive-interval=10",
        "tcp-keepalive-probes=3",
        f"secure-file-priv={data / SCRATCH_DATABASE}",
    ]
    if listening.tls is None:
        return found
    tls = listening.tls
    safe = ["require-secure-transport=ON", "tls-version=TLSv1.2,TLSv1.3"]
    return [*found, f"ssl-ca={tls.ca}", f"ssl-cert={tls.cert}", f"ssl-key={tls.key}", *safe]
