"""Input files of tables with provenance: their numbers, what they are of, and which transaction replaced their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import ContributionState, Event, TransactionState, follow
from skyshard.registry.stored.records import InputFile
from skyshard.registry.stored.store import Store, fields_of

FileKey = tuple[str, str]
"""Table and path of a file: what tells files of one transaction apart."""


class InputFiles(Store):
    """Reads and writes of the table ``input_files``."""

    def add(self, database: str, transaction: int, files: Sequence[InputFile]) -> Mapping[FileKey, int]:
        """Give every file of an open transaction its number, the next ones of the database; it keeps the one it has.

        One ingest of a database is under way at a time, which holds its lock.
        """
        with self._writer.begin() as connection:
            known = {(file.table, file.path): file.number for file in self._read(connection, database, transaction)}
            wanted = [file for file in files if (file.table, file.path) not in known]
            join = t.input_files.join(t.transactions, t.transactions.c.id == t.input_files.c.transaction_id)
            most = sa.select(sa.func.max(t.input_files.c.number)).select_from(join)
            first = int(connection.scalar(most.where(t.transactions.c.database == database)) or 0) + 1
            given = [replace(file, number=number, transaction=transaction) for number, file in enumerate(wanted, first)]
            if given:
                connection.execute(sa.insert(t.input_files), [_row(file) for file in given])
        return {**known, **{(file.table, file.path): file.number for file in given}}

    def mark_read(self, transaction: int, found: Mapping[int, tuple[str, int]]) -> None:
        """Record what files held: number → digest of the bytes, rows."""
        with self._writer.begin() as connection:
            for number, (digest, rows) in found.items():
                where = (t.input_files.c.transaction_id == transaction) & (t.input_files.c.number == number)
                connection.execute(sa.update(t.input_files).where(where).values(digest=digest, rows=rows))

    def all(self, database: str, *, transaction: int | None = None) -> list[InputFile]:
        """The files of finished transactions, or of one transaction whatever its state; by number."""
        with self._engine.connect() as connection:
            return self._read(connection, database, transaction)

    def standing(self, database: str) -> list[InputFile]:
        """The files of finished transactions whose rows are there: those that no other one has replaced."""
        return [file for file in self.all(database) if not file.replaced_by]

    def _read(self, connection: sa.Connection, database: str, transaction: int | None) -> list[InputFile]:
        is_wanted = t.transactions.c.state == TransactionState.FINISHED
        if transaction is not None:
            is_wanted = t.transactions.c.id == transaction
        query = (
            sa.select(t.input_files)
            .join(t.transactions, t.transactions.c.id == t.input_files.c.transaction_id)
            .where(t.transactions.c.database == database, is_wanted)
            .order_by(t.input_files.c.number)
        )
        return [_file(row) for row in connection.execute(query).mappings()]


def replace_files(connection: sa.Connection, transaction: int, files: Iterable[InputFile]) -> None:
    """Note that a transaction takes the place of the rows of files: of the files, and of what they contributed."""
    state = follow(ContributionState.LOADED, Event.REPLACE)
    for file in files:
        where = (t.input_files.c.transaction_id == file.transaction) & (t.input_files.c.number == file.number)
        connection.execute(sa.update(t.input_files).where(where).values(replaced_by=transaction))
        theirs = sa.update(t.contributions).where(
            t.contributions.c.transaction_id == file.transaction, t.contributions.c.table == file.table,
            t.contributions.c.part == file.path,
        )  # fmt: skip
        connection.execute(theirs.values(state=state))


def _row(file: InputFile) -> dict[str, Any]:
    values = dict(fields_of(file))
    return {"transaction_id": values.pop("transaction"), **values}


def _file(row: Mapping[Any, Any]) -> InputFile:
    values = {str(name): value for name, value in row.items()}
    return InputFile(transaction=int(values.pop("transaction_id")), **values)
