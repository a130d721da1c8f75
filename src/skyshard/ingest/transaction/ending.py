"""What becomes of a transaction that fails: it stays open, to be resumed, or it is taken back.

Rules: wrong input, and bugs, would fail the same way again: what they did is taken back at once. What servers, the
machine or a user interrupted can go on: everything stays. Either way the error says so, and a transaction that is open
can be aborted by its number.
"""

from __future__ import annotations

from skyshard.basics.errors import ClusterError, SkyshardError, UserError, words_of
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.transaction.recovery import take_back
from skyshard.log.events import TRANSACTION_INTERRUPTED
from skyshard.registry.stored.lifecycle import TransactionState
from skyshard.registry.stored.records import OpenTransaction

_MAY_GO_ON = (ClusterError, OSError, MemoryError)
_ERROR_BYTES = 60_000
"""What the registry keeps of an error's text at most."""


def settle(site: Site, database: str, mine: OpenTransaction, error: BaseException) -> None:
    """Leave the transaction that ``error`` interrupted open, or take it back; a note on the error says which.

    Where taking back fails too, the transaction stays ``aborting``.
    """
    go_on = f"run the same command again, or end it with `skyshard transactions abort {mine.id}`"
    try:
        if not isinstance(error, Exception) or isinstance(error, _MAY_GO_ON):
            site.events.tell(
                TRANSACTION_INTERRUPTED, transaction=mine.id, database=database, attempt=mine.attempt,
                error=words_of(error),
            )  # fmt: skip
            error.add_note(f"transaction {mine.id} stays open: {go_on}")
            return
        found = site.registry.transactions.find_open(database)
        if found is None or found.id != mine.id:  # it was published before the error
            return
        take_back(site, database, mine, _kept(words_of(error)))
        if not isinstance(error, UserError):
            error.add_note(f"transaction {mine.id} was taken back, nothing of it is left")
    except SkyshardError as trouble:
        error.add_note(f"transaction {mine.id} is not taken back yet ({trouble.what}): {go_on}")


def _kept(text: str) -> str:
    """A text as the registry can hold it: of letters that UTF-8 has, and not too long."""
    return text.encode(errors="backslashreplace")[:_ERROR_BYTES].decode(errors="ignore")


def abort(site: Site, number: int) -> str:
    """Take an open transaction back, whatever it was for; returns its database's name. After a kill, run it again.

    Raises:
        UserError: there is none of this number, or it has finished.
        ClusterError: the ingest that it belongs to is under way, or a node is down.
    """
    registry = site.registry
    database = _require_open(site, number)
    called = registry.published.names().shown(database)
    with registry.ingesting(database), site.held(database, makes_room=True):
        _require_open(site, number)  # it may have ended while the lock was waited for
        found = registry.transactions.find_open(database)
        assert found is not None
        mine = registry.transactions.take_over(found)
        take_back(site, database, mine, "" if found.state is TransactionState.ABORTING else "aborted by its number")
    return called


def _require_open(site: Site, number: int) -> str:
    """The stored name of the database of an open transaction."""
    row = site.registry.transactions.get(number)
    if row is None:
        raise UserError(
            f"there is no transaction {number}, or it was taken back together with its database",
            remedy="`skyshard transactions` lists those there are",
        )
    database = site.registry.published.names().shown(row["database"])
    if row["state"] == TransactionState.FINISHED:
        raise UserError(
            f"transaction {number} of '{database}' is finished, queries see what it brought",
            remedy="only an unfinished one can be aborted",
        )
    if row["state"] == TransactionState.ABORTED:
        raise UserError(f"transaction {number} of '{database}' is aborted", remedy="nothing of it is left")
    return str(row["database"])
