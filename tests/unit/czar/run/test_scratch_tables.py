"""Names of scratch tables say whose they are."""

from __future__ import annotations

from typing import Any, cast

import pytest

from skyshard.czar.run.scratch_tables import query_name, sweep
from skyshard.db.connection import Connection, quote_name
from skyshard.host.processes import own_name

HOST, PROCESS, BEGAN = own_name().split()
MINE, DEAD = f"{query_name()}_p0", f"q_{HOST}_{PROCESS}_{int(BEGAN) - 1}_3_p0"
ELSEWHERE, NEW_ELSEWHERE = "q_0123abcd_7_99_1_p0_2", "q_0123abcd_8_99_1_r"


class FakeServer:
    """A server that has scratch tables; one of another host was made long ago, one just now."""

    endpoint = type("Endpoint", (), {"name": "node1"})()

    def __init__(self) -> None:
        self.dropped: set[str] = set()

    def rows(self, sql: str, _: Any = None) -> list[tuple[Any, ...]]:
        if sql.startswith("SHOW TABLES"):
            return [(MINE,), (DEAD,), (ELSEWHERE,), (NEW_ELSEWHERE,), (f"rows-{HOST}-1-1-1",)]
        return [(ELSEWHERE,), (DEAD,)] if "CREATE_TIME" in sql else []

    def execute(self, sql: str) -> None:
        self.dropped |= {name for name in (MINE, DEAD, ELSEWHERE, NEW_ELSEWHERE) if quote_name(name) in sql}


@pytest.mark.parametrize(
    ("living", "dropped"),
    [
        (None, {DEAD}),
        (frozenset({"0123abcd 7 99"}), {DEAD}),
        (frozenset({"0123abcd 6 99"}), {DEAD, ELSEWHERE}),
    ],
    ids=["not known", "alive", "gone"],
)
def test_tables_of_another_host_go_when_they_are_old_and_nobody_gives_a_sign_of_life(
    living: frozenset[str] | None, dropped: set[str]
) -> None:
    """Those of this host go with their process; others stay while their process lives, or may."""
    server = FakeServer()
    assert sweep(cast("Connection", server), living=lambda: living) == len(dropped)
    assert server.dropped == dropped
