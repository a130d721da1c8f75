"""Finds out whether a server's row images can be carried to this host, by carrying one row; else why not, in words.

Rules: a server that carries is asked once; one that does not answer, by the next query again; one that refuses, after a
minute: a password may just have been changed, a right been given.
"""

from __future__ import annotations

import time

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.file_refusals import FACTS, why_not_shown
from skyshard.czar.run.scratch_tables import file_name, query_name, scratch_table
from skyshard.czar.scan.carrier import Carrier
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.db.connection import Account
from skyshard.log.event_log import EventLog
from skyshard.log.events import ROWS_AS_TEXT

ASK_AGAIN_S = 60.0
_ROW = b"carried\n"
_ASK = f"SELECT LOAD_FILE(CONCAT(@@datadir, %s)), @@max_allowed_packet, {FACTS}"


def why_text(worker: QueryWorker, events: EventLog) -> str:
    """Why large results of a node have to travel as text; empty: they need not, or it does not answer."""
    carrier = worker.carrier
    if carrier is None:
        return ""
    known = carrier.why_not
    if known is None or (known and time.monotonic() - carrier.tried_s > ASK_AGAIN_S):
        if known:
            carrier.sessions.close_idle(but=0, idle_s=0.0)  # a session has the rights that it began with
        try:
            why = _tried(worker, carrier)
        except ClusterError:
            return known or ""
        if why and carrier.why_not != why:  # another thread may just have told it
            events.tell(ROWS_AS_TEXT, node=worker.name, error=why)
        carrier.why_not, carrier.tried_s = why, time.monotonic()
    return carrier.why_not or ""


def _tried(worker: QueryWorker, carrier: Carrier) -> str:
    query = query_name()
    table, file = scratch_table(query, "c"), file_name(query, "c")
    with worker.sessions.lease(query) as reader:
        reader.execute(f"CREATE TABLE {table} (a CHAR({len(_ROW)}) NOT NULL) ENGINE=MyISAM ROW_FORMAT=FIXED")
        try:
            reader.execute(f"INSERT INTO {table} VALUES (%s)", [_ROW])
            with carrier.sessions.lease(query) as connection:
                ((found, longest, *facts),) = connection.rows(_ASK, [file])
                carrier.limit_packet(int(longest))
                if found is not None and _ROW in bytes(found):
                    return ""
                return why_not_shown(*facts)
        except UserError as error:
            return f"account {Account.CARRIER} {_refusal(error)}"
        finally:
            worker.drop(query, [table])


def _refusal(error: UserError) -> str:
    """Why the carrying account has no session: the server's answer where it is not just that nobody has the name."""
    code = getattr(error.__cause__, "args", (0,))[:1]
    return "is not there, or has another password" if code in ((1045,), (1133,)) else f"is refused: {error.what}"
