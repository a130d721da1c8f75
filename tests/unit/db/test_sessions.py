"""Sessions that wait: those that nobody needs are closed, the last used ones stay."""

from __future__ import annotations

import time
from typing import cast

from skyshard.db.connection import Connection, Endpoint
from skyshard.db.sessions import Sessions


class FakeSession:
    """A session of which only its end is known."""

    is_open = True

    def close(self) -> None:
        self.is_open = False


def test_sessions_that_nobody_used_for_a_while_are_closed_all_but_a_few() -> None:
    """The ones that were used last stay, in their order; a server with fewer keeps all."""
    sessions = Sessions(Endpoint(socket="node.sock"))
    made = [FakeSession() for _ in range(5)]
    for one in made:
        sessions._give_back(cast("Connection", one), time.monotonic())
    sessions.close_idle(but=2, idle_s=60.0)
    assert all(one.is_open for one in made)
    sessions.close_idle(but=2, idle_s=0.0)
    assert [one.is_open for one in made] == [False, False, False, True, True]
    sessions.close_idle(but=2, idle_s=0.0)
    left: list[object] = [sessions._idle.get_nowait()[0] for _ in range(2)]
    assert left == made[:2:-1]
