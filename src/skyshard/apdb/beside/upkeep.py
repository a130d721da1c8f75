"""What is done to a mutable database while visits run: whole scans, daytime changes, dropped months, compaction.

Rules: a change is one transaction a node, and the same change again is a no-op. Rehearsed, it is made and rolled back:
servers work and lock as for a true one, and nobody ever sees it, so that visits beside it have the answers of before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np

from skyshard.apdb.beside.duplicates import duplicates
from skyshard.apdb.mutable.bounded_ddl import bound_waits, until_free
from skyshard.apdb.mutable.later_changes import note_later_changes
from skyshard.apdb.mutable.months import HISTORY_MONTHS, drop_month
from skyshard.apdb.mutable.mutable_database import MutableDatabase
from skyshard.apdb.mutable.mutable_tables import DROPPED_TABLES
from skyshard.apdb.mutable.sizes import status_of
from skyshard.apdb.stores.gone_objects import take_out
from skyshard.apdb.stores.mariadb_server import MARIADB
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, month_of
from skyshard.basics.array_types import Integers
from skyshard.basics.errors import UserError
from skyshard.db.connection import Account, Connection, connect, quote_name
from skyshard.registry.catalog.mutable_chunks import STORED_BY, Visible, read_visible

UNASSOCIATED_DAYS = 14.0
"""How far back sources without object are looked for."""
CHANGED_ROWS = 1000
"""Sources that one daytime change takes."""
DUPLICATE_ARCSEC = 0.5
"""Objects nearer than this are one."""


class Upkeep(StrEnum):
    """What can be done."""

    SCAN_UNASSOCIATED = "scan-unassociated"
    """Count the sources of the last 14 days that belong to no object, or to one without another source."""
    REASSOCIATE = "reassociate"
    """Give such sources to Solar System objects."""
    WITHDRAW = "withdraw"
    """Mark such sources as withdrawn."""
    DEDUPLICATE = "deduplicate"
    """Join objects at one place: the older keeps all sources."""
    PREPARE_MONTH = "prepare-month"
    """Make this month and the next, with files long enough for their first visits."""
    DROP_MONTH = "drop-month"
    """Drop the months that visits do not read any more."""
    COMPACT = "compact"
    """Rewrite all tables."""


WITHOUT_REHEARSAL = frozenset({Upkeep.PREPARE_MONTH, Upkeep.DROP_MONTH})
"""What changes tables, not rows: it is not rolled back, and visits have the same answers after it."""


@dataclass(frozen=True, slots=True)
class UpkeepDone:
    """What an action came to."""

    action: Upkeep
    rows: int
    """Read, changed or dropped."""
    elapsed_s: float


def run_upkeep(database: MutableDatabase, action: Upkeep, now: float, *, is_rehearsed: bool = False) -> UpkeepDone:
    """Do one thing to a database, on every node.

    Args:
        now: MJD TAI, the survey's time.
        is_rehearsed: changes of rows are rolled back.

    Raises:
        UserError: an action that cannot be rehearsed, on an engine without transactions or by its nature.
        ClusterError: a node does not answer; run it again.
    """
    if is_rehearsed and (action in WITHOUT_REHEARSAL or (action in _CHANGES and database.layout.engine == "Aria")):
        raise UserError(f"{action} on {database.layout.engine} cannot be rolled back", remedy="do not rehearse it")
    begun = time.perf_counter()
    rows = _ACTIONS[action](database, now, is_rehearsed)
    return UpkeepDone(action, rows, time.perf_counter() - begun)


def _scan(database: MutableDatabase, now: float, _: bool) -> int:
    return len(_unassociated(database, now))


def _reassociate(database: MutableDatabase, now: float, is_rehearsed: bool) -> int:
    change = f"ssObjectId = diaSourceId, ssObjectReassocTimeMjdTai = {now!r}e0"
    return _change_sources(database, now, Upkeep.REASSOCIATE, change, is_rehearsed)


def _withdraw(database: MutableDatabase, now: float, is_rehearsed: bool) -> int:
    return _change_sources(database, now, Upkeep.WITHDRAW, f"timeWithdrawnMjdTai = {now!r}e0", is_rehearsed)


def _change_sources(database: MutableDatabase, now: float, action: Upkeep, change: str, is_rehearsed: bool) -> int:
    """Change the first unassociated sources."""
    sources = np.sort(_unassociated(database, now))[:CHANGED_ROWS].tolist()
    if not sources:
        return 0
    these = f"{_recent(now)} AND diaSourceId IN ({', '.join(map(str, sources))})"
    if not is_rehearsed:
        note_later_changes(database, action, [("DiaSource", these)])
    return _change(database, is_rehearsed, [f"UPDATE DiaSource SET {change} WHERE {these}"])


def _unassociated(database: MutableDatabase, now: float) -> Integers:
    """Recent sources of no object, or of one that has no other source; objects may be on another node."""
    visible = _visible(database)
    seen = visible.condition(STORED_BY)
    sources: list[tuple[object, ...]] = []
    single: list[tuple[object, ...]] = []
    for node in _nodes(database):
        with connect(database.cluster.node(node).sql, Account.READER, database.database) as reader:
            columns = "diaSourceId, COALESCE(diaObjectId, 0)"
            sources += reader.rows(f"SELECT {columns} FROM DiaSource WHERE {_recent(now)} AND {seen}")
            single += reader.rows(
                f"SELECT diaObjectId FROM DiaObjectLast WHERE nDiaSources = 1 AND {_is_seen(visible)}"
            )
    found = np.array(sources, np.int64).reshape(-1, 2)
    alone = np.append(np.array(single, np.int64).reshape(-1), 0)
    return np.asarray(found[np.isin(found[:, 1], alone), 0])


def _deduplicate(database: MutableDatabase, now: float, is_rehearsed: bool) -> int:
    """Sources first, then counts, then the younger objects: a run that was killed leaves what the next one finds."""
    rows: list[tuple[object, ...]] = []
    visible = _visible(database)
    for node in _nodes(database):
        with connect(database.cluster.node(node).sql, Account.READER, database.database) as reader:
            columns = "diaObjectId, ra, `dec`, firstDiaSourceMjdTai"
            rows += reader.rows(f"SELECT {columns} FROM DiaObjectLast WHERE {_is_seen(visible)}")
    if not rows:
        return 0
    ids, ra, dec, since = (np.array(column, kind) for column, kind in zip(zip(*rows, strict=True), "qddd", strict=True))
    found = duplicates(ids, ra, dec, np.nan_to_num(since), DUPLICATE_ARCSEC)
    if not found:
        return 0
    if not is_rehearsed:
        ended = f"{_among(found)} AND validityEndMjdTai IS NULL"
        note_later_changes(database, Upkeep.DEDUPLICATE, [("DiaSource", _among(found)), ("DiaObject", ended)])
    _change(database, is_rehearsed, [f"UPDATE DiaSource SET diaObjectId = {_cases(found)} WHERE {_among(found)}"])
    counts = _source_counts(database, sorted(set(found.values())), visible)
    newest = f"UPDATE DiaObjectLast SET nDiaSources = {_cases(counts)} WHERE {_among(counts)}"
    ends = f"UPDATE DiaObject SET validityEndMjdTai = {now!r}e0 WHERE {_among(found)} AND validityEndMjdTai IS NULL"
    _change(database, is_rehearsed, [newest, ends, *take_out(MARIADB, _among(found))])
    return len(found)


def _visible(database: MutableDatabase) -> Visible:
    """The stores that are whole: nobody acts on what others may take back."""
    with connect(database.ledger, Account.READER, database.database) as ledger:
        return read_visible(ledger, database.database)


def _is_seen(visible: Visible) -> str:
    """True of rows of DiaObjectLast of objects that have a version which is seen."""
    same = " AND ".join(f"h.{name} = DiaObjectLast.{name}" for name in ("chunkId", "subChunkId", "diaObjectId"))
    before = f"SELECT 1 FROM DiaObject AS h WHERE {same} AND {visible.condition(f'h.{STORED_BY}')}"
    return f"({visible.condition(STORED_BY)} OR EXISTS ({before}))"


def _source_counts(database: MutableDatabase, objects: Sequence[int], visible: Visible) -> dict[int, int]:
    counts = dict.fromkeys(objects, 0)
    listed = ", ".join(map(str, objects))
    for node in _nodes(database):
        with database.connect(node) as writer:
            those = f"diaObjectId IN ({listed}) AND {visible.condition(STORED_BY)}"
            sql = f"SELECT diaObjectId, COUNT(*) FROM DiaSource WHERE {those} GROUP BY diaObjectId"
            for key, count in writer.rows(sql):
                counts[int(key)] += int(count)
    return counts


def _prepare(database: MutableDatabase, now: float, _: bool) -> int:
    database.placed()
    database.ensure_months([month_of(now), month_of(now) + 1])
    return 0


def _drop(database: MutableDatabase, now: float, _: bool) -> int:
    oldest_read = month_of(now) - HISTORY_MONTHS
    months = {month for one in status_of(database).tables if one.table in DROPPED_TABLES for month in one.months}
    return sum(drop_month(database, month) for month in sorted(months) if month < oldest_read)


def _compact(database: MutableDatabase, _: float, __: bool) -> int:
    for node in _nodes(database):
        with connect(database.cluster.node(node).sql, Account.ADMIN, database.database) as admin:
            bound_waits(admin)
            for name in TABLE_NAMES:
                until_free(admin, node, name, partial(_optimize, admin, name))
    return sum(one.rows for one in status_of(database).tables)


def _optimize(admin: Connection, table: str) -> str:
    """Rewrite a table; why it is not, or nothing."""
    said = admin.rows(f"OPTIMIZE NO_WRITE_TO_BINLOG TABLE {quote_name(table)}")
    return next((str(text) for *_, kind, text in said if str(kind).lower() == "error" or "failed" in str(text)), "")


Action = Callable[[MutableDatabase, float, bool], int]
_ACTIONS: Mapping[Upkeep, Action] = {
    Upkeep.SCAN_UNASSOCIATED: _scan,
    Upkeep.REASSOCIATE: _reassociate,
    Upkeep.WITHDRAW: _withdraw,
    Upkeep.DEDUPLICATE: _deduplicate,
    Upkeep.PREPARE_MONTH: _prepare,
    Upkeep.DROP_MONTH: _drop,
    Upkeep.COMPACT: _compact,
}
_CHANGES = (Upkeep.REASSOCIATE, Upkeep.WITHDRAW, Upkeep.DEDUPLICATE)


def _recent(now: float) -> str:
    months = f"`month` BETWEEN {month_of(now - UNASSOCIATED_DAYS)} AND {month_of(now)}"
    return f"{months} AND midpointMjdTai >= {now - UNASSOCIATED_DAYS!r}e0 AND midpointMjdTai < {now!r}e0"


def _nodes(database: MutableDatabase) -> list[str]:
    return sorted(set(database.placed().values()))


def _change(database: MutableDatabase, is_rehearsed: bool, statements: Sequence[str]) -> int:
    """Statements as one transaction on each node; returns the rows of the first."""
    changed = 0
    for node in _nodes(database):
        with database.connect(node) as writer:
            changed += _transaction(writer, statements, "ROLLBACK" if is_rehearsed else "COMMIT")
    return changed


def _transaction(writer: Connection, statements: Sequence[str], end: str) -> int:
    writer.execute("START TRANSACTION")
    changed = [writer.execute(statement) for statement in statements]
    writer.execute(end)
    return changed[0]


def _among(objects: Iterable[int]) -> str:
    return f"diaObjectId IN ({', '.join(map(str, objects))})"


def _cases(values: Mapping[int, int]) -> str:
    """An object's value, as SQL.

    >>> _cases({7: 3})
    'CASE diaObjectId WHEN 7 THEN 3 END'
    """
    return f"CASE diaObjectId {' '.join(f'WHEN {key} THEN {value}' for key, value in values.items())} END"
