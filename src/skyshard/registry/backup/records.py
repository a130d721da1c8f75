"""What nodes keep of the registry: records of each database, from which its rows can be made again.

A database has one record of its state (names, tables, transactions, files, indexes, places), made anew by whatever
changes it, and one a finished transaction with the replicas and contributions that this one brought. The highest
sequence number, which is the registry's generation, is the newest. Records are made of rows that are committed, so
nothing is in them that no query saw; of a database that was dropped only a state without rows stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.db.connection import Connection
from skyshard.registry.backup.registry_rows import read_frames, read_table, write_frames
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import DatabaseState, TransactionState
from skyshard.registry.stored.plain_sql import GENERATION, named
from skyshard.registry.stored.store import Store

STATE = 0
"""The number of the record of a database's state; those of transactions have theirs."""
_THEIRS = f"WHERE transaction_id IN (SELECT id FROM {named('transactions')} WHERE `database` = %s)"
_OF_FAMILY = f"WHERE family = (SELECT family FROM {named('databases')} WHERE name = %s)"
_OWN = "WHERE `database` = %s"
_OF_STATE = (
    (t.databases, "WHERE name = %s"),
    (t.aliases, _OWN),
    (t.tables, _OWN),
    (t.transactions, f"{_OWN} AND state = '{TransactionState.FINISHED}'"),
    (t.input_files, _THEIRS),
    (t.placements, _OF_FAMILY),
    (t.index_parts, _OWN),
    (t.strays, _THEIRS),
    (t.retired, _OWN),
)
OF_TRANSACTION = (t.replicas, t.contributions)


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """One record; ``number`` is a transaction's, or ``STATE``."""

    database: str
    number: int
    sequence: int
    content: bytes
    is_gone: bool = False
    """The state of a database that was dropped."""


class NodeRecords(Store):
    """Makes the records; keeps none."""

    def finished(self, database: str) -> dict[int, str]:
        """The finished transactions of a published database, with their plans; nothing of any other database."""
        sql = (
            f"SELECT x.id, x.plan FROM {named('transactions')} x JOIN {named('databases')} d ON d.name = x.`database` "
            f"WHERE d.name = %s AND d.state = '{DatabaseState.PUBLISHED}' AND x.state = '{TransactionState.FINISHED}'"
        )
        with self._plain.reading() as connection:
            return {int(number): str(plan) for number, plan in connection.rows(sql, [database])}

    def of_database(self, database: str, known: Collection[int]) -> list[KeptRecord]:
        """The records of a database, by its stored name, at one moment; nothing of one that was never published.

        Args:
            known: transactions whose records need not be made.
        """
        with self._plain.reading() as connection:
            sequence = int(connection.value(GENERATION))
            states = connection.rows(f"SELECT state FROM {named('databases')} WHERE name = %s", [database])
            if not states:
                gone = read_table(connection, t.dropped, "WHERE name = %s", [database])
                content = write_frames([(t.dropped.name, gone)])
                return [KeptRecord(database, STATE, sequence, content, is_gone=True)] if len(gone) else []
            if states[0][0] == DatabaseState.INGESTING:
                return []
            state = {table.name: read_table(connection, table, where, [database]) for table, where in _OF_STATE}
            found = [_record(database, STATE, sequence, _known_only(state).items())]
            numbers = state[t.transactions.name].column("id").to_pylist()
            return found + [_brought(connection, database, n, sequence) for n in numbers if n not in known]


def listed_in(state: KeptRecord) -> set[int]:
    """The transactions of a database's state; none of one that was dropped."""
    rows = read_frames(state.content).get(t.transactions.name)
    return set() if rows is None else set(rows.column("id").to_pylist())


def _known_only(state: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Rows of finished transactions: others are not in the record."""
    finished = state[t.transactions.name].column("id")
    for table in (t.input_files, t.index_parts, t.strays):
        rows = state[table.name]
        state[table.name] = rows.filter(pc.is_in(rows.column("transaction_id"), value_set=finished))
    return state


def _brought(connection: Connection, database: str, transaction: int, sequence: int) -> KeptRecord:
    of_it = "WHERE transaction_id = %s"
    rows = [(table.name, read_table(connection, table, of_it, [transaction])) for table in OF_TRANSACTION]
    return _record(database, transaction, sequence, rows)


def _record(database: str, number: int, sequence: int, rows: Iterable[tuple[str, pa.Table]]) -> KeptRecord:
    return KeptRecord(database, number, sequence, write_frames(rows))
