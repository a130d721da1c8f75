"""Heartbeats: processes that work on servers say now and then that they are there, by the clock of the czar's server.

A process of another host cannot be looked up in ``/proc``; one whose last beat is old counts as gone.
"""

from __future__ import annotations

from skyshard.db.short_transactions import ShortTransactions
from skyshard.host.processes import own_name
from skyshard.registry.stored import plain_sql

SILENT_S = 120.0
"""A process that has not written a beat for so long is gone; while it works it writes one every 10 s."""
KEPT_S = 86_400.0


class Heartbeats:
    """Reads and writes of the table ``heartbeats``; a process has the name that ``host.processes`` gives it."""

    def __init__(self, plain: ShortTransactions) -> None:
        self._plain = plain

    def beat(self) -> None:
        """Say that this process is there."""
        with self._plain.writing() as connection:
            connection.execute(plain_sql.BEAT, [own_name()])

    def end(self) -> None:
        """This process works no more; old beats of others are forgotten, too."""
        with self._plain.writing() as connection:
            connection.execute(plain_sql.FORGET_BEATS, [own_name(), KEPT_S])

    def living(self) -> frozenset[str]:
        """The processes that have written a beat not long ago."""
        with self._plain.reading() as connection:
            return frozenset(str(name) for (name,) in connection.rows(plain_sql.LIVING, [SILENT_S]))
