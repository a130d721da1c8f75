"""Has other rows take the place of all that the registry has: in one transaction, so that a kill changes nothing.

Rules: nothing else makes or upgrades the registry, or ingests, meanwhile. Numbers go on above all that nodes have seen,
so that no later table meets an older one of its name; the generation goes up to the clock, above any that a czar may
still have in mind, and tables get generations that they never had. Open transactions and jobs get another owner; what
transactions recorded of tables is read again, and jobs wait until they are resumed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from skyshard.backup.place import BackupPlace
from skyshard.db.connection import Account, Connection, connect
from skyshard.db.lock_names import stay_open
from skyshard.registry.backup.registry_rows import clear
from skyshard.registry.schema.registry_lock import REGISTRY_LOCK, exclusive
from skyshard.registry.stored.chunk_entries import first_generation
from skyshard.registry.stored.lifecycle import JobState, ReplicaState, TransactionState
from skyshard.registry.stored.plain_sql import GENERATION, named

_ENDED = f"('{TransactionState.FINISHED}', '{TransactionState.ABORTED}')"
_FIXES = (
    f"UPDATE {named('transactions')} SET attempt = attempt + 1, servers = '{{}}' WHERE state NOT IN {_ENDED}",
    f"UPDATE {named('jobs')} SET attempt = attempt + 1, state = '{JobState.PAUSED}' WHERE state = '{JobState.RUNNING}'",
    f"UPDATE {named('replicas')} SET state = '{ReplicaState.BAD}', fault = 'it was being made again' "
    f"WHERE state = '{ReplicaState.BUILDING}'",
)


@contextmanager
def replaced_rows(
    place: BackupPlace, *, last_transaction: int, generation: int, but: Collection[sa.Table] = ()
) -> Iterator[Connection]:
    """A session to insert all rows with; others see them all at once when the block ends.

    Args:
        last_transaction: no number up to this one is given again.
        generation: that others may have seen.
        but: tables whose rows stay.

    Raises:
        ClusterError: an ingest or a job is under way (retryable).
    """
    with ExitStack() as stack:
        stack.enter_context(exclusive(place.czar, REGISTRY_LOCK))
        stack.enter_context(place.registry.moving())
        for database in place.registry.published.names().all_stored:
            stack.enter_context(place.registry.ingesting(database))
        admin = stack.enter_context(connect(place.czar, Account.ADMIN))
        admin.speak_utf8()
        stay_open(admin)
        results = [int(path.stem) for path in place.folder.glob("results/*.parquet") if path.stem.isdigit()]
        for table, last in (("transactions", last_transaction), ("queries", max(results, default=0))):
            admin.execute(f"ALTER TABLE {named(table)} AUTO_INCREMENT = {last + 1}")
        admin.execute("SET SESSION foreign_key_checks = 0")
        admin.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        before = int(admin.value(GENERATION))
        admin.execute("START TRANSACTION")
        clear(admin, but=but)
        yield admin
        for statement in _FIXES:
            admin.execute(statement)
        number = max(before, generation, int(time.time())) + 1
        admin.execute(f"UPDATE {named('tables')} SET generation = %s", [first_generation(number)])
        admin.execute(f"REPLACE INTO {named('generation')} VALUES (1, %s)", [number])
        admin.execute("COMMIT")
