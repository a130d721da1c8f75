"""A node that is in the middle of a query for as long as a test wants: locks on half of its tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from skyshard.basics.errors import ClusterError
from skyshard.db.connection import Account, connect
from skyshard.testbed import Testbed


@contextlib.contextmanager
def half_locked(testbed: Testbed, name: str, database: str) -> Iterator[None]:
    """Every other chunk table of a node is locked meanwhile: statements on it wait, those on the others end.

    A node that is killed meanwhile takes the locks along.
    """
    stored = testbed.registry.published.names().stored(database)
    admin = connect(testbed.cluster.endpoint(name), Account.ADMIN)
    try:
        tables = [one for (one,) in admin.rows(f"SHOW TABLES FROM {stored} LIKE 'Object\\_%'")]
        admin.execute("LOCK TABLES " + ", ".join(f"{stored}.{table} WRITE" for table in tables[::2]))
        yield
    finally:
        with contextlib.suppress(ClusterError):
            admin.close()
