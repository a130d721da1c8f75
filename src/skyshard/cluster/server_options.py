"""The options of a private server: what each is for, sized for many nodes on one machine of 24 GiB. No I/O.

Every server runs with ``--no-defaults``: a machine's own configuration must not leak into private nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

OPEN_FILES = 200_000
MAX_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True)
class Tuning:
    """Buffer sizes that differ between kinds of server, in MiB. Memory is taken as it is used."""

    key_buffer_mib: int = 256
    innodb_buffer_mib: int = 64
    innodb_log_mib: int = 16


NODE = Tuning()
CZAR = Tuning(key_buffer_mib=128, innodb_buffer_mib=256)
"""The czar's own server holds the registry (InnoDB) and merges partial results."""


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
        "secure-file-priv=",
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
        "aria-pagecache-buffer-size=64M",
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
        "skip-networking",
        "skip-name-resolve",
    ]
