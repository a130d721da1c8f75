"""Texts that servers get as they are hold no chain of set operations that they may never end."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import Refusal
from skyshard.czar.own_tables import OwnTables
from skyshard.db.connection import Endpoint


@pytest.mark.parametrize(
    "chain",
    [
        "SELECT 1 INTERSECT ALL SELECT 2 EXCEPT ALL SELECT 1",
        "(SELECT 'it''s' intersect\nall SELECT 2) except all SELECT 1",
    ],
)
def test_tables_of_tap_are_not_asked_without_an_end(chain: str) -> None:
    """They are asked on the czar's server, and by whoever may ask TAP: it is refused before a session is opened."""
    with pytest.raises(Refusal, match="INTERSECT and EXCEPT with ALL"):
        OwnTables(Endpoint(socket="/nowhere")).ask(chain)
