"""Asks a server whether it makes the tables of a plan; its refusals are told by table and column.

The rules that are known in advance are in ``storable``; a server knows all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.ddl import create_table
from skyshard.catalog.engines import MYISAM, TableEngine
from skyshard.catalog.schema import Table
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_name
from skyshard.db.server_errors import server_words
from skyshard.ingest.plan.ingest_plan import PlannedTable, prototypes

Run = Callable[[Sequence[str]], None]
"""Runs statements on a server, one after the other."""
_CANNOT_CREATE = "(1005)"
"""The number that servers give where an engine does not make a table, among those of their own troubles."""


def require_makeable(endpoint: Endpoint, tables: Iterable[PlannedTable], engine: TableEngine) -> None:
    """Make every stored table in the scratch database of a server, and drop it at once.

    Raises:
        UserError: the server refuses one, or does not have the engine.
        ClusterError: no server answers.
    """
    with connect(endpoint, Account.ADMIN) as connection:
        found = connection.rows("SELECT ENGINE FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')")
        require_engine({"the cluster": [str(name) for (name,) in found]}, engine)
        require_made(lambda statements: _run(connection, statements), tables, engine)


def require_engine(engines: dict[str, Sequence[str]], engine: TableEngine) -> None:
    """Refuse an engine that a server does not have; ``engines`` are those of each server, by its name.

    Raises:
        UserError: names the server and the remedy.
    """
    for server, known in engines.items():
        if engine.sql_name.lower() not in map(str.lower, known):
            raise UserError(
                f"{server} runs without the storage engine {engine.name}",
                remedy="run `make myrocks` in the checkout, or install Debian's mariadb-plugin-rocksdb, then "
                "`skyshard cluster stop` and `start`; or give a layout with another engine",
            )


def require_made(run: Run, tables: Iterable[PlannedTable], engine: TableEngine) -> None:
    """Make every stored table, and drop it at once.

    Raises:
        UserError: the server refuses one.
    """
    for table in tables:
        for stored in prototypes(table.source):
            try:
                _make(run, stored, engine)
            except (UserError, ClusterError) as error:
                raise _refused(run, stored, engine, error) from None


def make_table(connection: Connection, table: Table) -> None:
    """Create an empty stored table under its own name, a prototype of MyISAM.

    Raises:
        UserError: the server refuses it; names the table, and the column if it is one's.
    """
    try:
        connection.execute(create_table(table, table.name))
    except UserError as error:
        raise _refused(lambda statements: _run(connection, statements), table, MYISAM, error) from None


def _run(connection: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.execute(statement)


def _make(run: Run, table: Table, engine: TableEngine, *, is_temporary: bool = False) -> None:
    """As a temporary table, or as a real one, as some engines make no temporary ones, or not with all options."""
    name = f"made-{os.getpid()}"
    place = f"{quote_name(SCRATCH_DATABASE)}.{quote_name(name)}"
    made = create_table(table, name, engine=engine).replace(quote_name(name), place, 1)
    if is_temporary:
        run([made.replace("CREATE TABLE", "CREATE TEMPORARY TABLE", 1), f"DROP TEMPORARY TABLE {place}"])
    else:
        gone = f"DROP TABLE IF EXISTS {place}"
        run([gone, made, gone])


def _refused(run: Run, table: Table, engine: TableEngine, error: UserError | ClusterError) -> UserError | ClusterError:
    """The server's words, with the first column that it would not have alone either."""
    if isinstance(error, ClusterError) and _CANNOT_CREATE not in error.what:
        return error
    where, words = f"table '{table.name}'", server_words(error)
    plain = MYISAM if engine.name == "MyRocks" else TableEngine(engine.name)  # those make temporary tables, fast
    for column in table:
        try:
            _make(run, replace(table, columns=(column,), primary_key=(), keys=()), plain, is_temporary=True)
        except (UserError, ClusterError) as alone:
            where, words = f"{where}, column '{column.name}'", server_words(alone)
            break
    return UserError(f"{where}: the server does not make it: {words}", remedy="fix the definition")
