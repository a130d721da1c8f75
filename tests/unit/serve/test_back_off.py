"""Wrong tokens slow down whoever sends them, by a clock that the test turns."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.support.played_services import Keys, PlayedQueries, played_services

from skyshard.serve import back_off
from skyshard.serve.access import Identity, Scope
from skyshard.serve.admission import Admission
from skyshard.serve.back_off import FORGOTTEN_S, LONGEST_S, BackOff, TooManyTries
from skyshard.serve.doors import Work, http_routes, safe_app
from skyshard.serve.lanes import Lanes
from skyshard.serve.serve_file import ServeFile


class Clock:
    """Turned by who sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def guess(kept: BackOff, clock: Clock, address: str, text: str = "wrong") -> float:
    """One wrong token after its wait; how long that was."""
    wait_s = kept.turn(address, text)
    clock.now_s += wait_s
    kept.note(address, text, is_right=False)
    return wait_s


def test_each_wrong_token_doubles_the_pause() -> None:
    """From half a second to a limit; a quarter of an hour later all is as before."""
    clock = Clock()
    kept = BackOff(clock)
    waits = [guess(kept, clock, "192.0.2.1", f"guess {number}") for number in range(8)]
    assert waits == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    clock.now_s += FORGOTTEN_S + 1
    assert [guess(kept, clock, "192.0.2.1") for _ in range(2)] == [0.0, 0.5]


def test_other_addresses_are_none_the_slower() -> None:
    """Those of one network of IPv6 are one."""
    clock = Clock()
    kept = BackOff(clock)
    for _ in range(5):
        guess(kept, clock, "2001:db8::1")
    assert kept.turn("2001:db8:0:1::1", "any") == kept.turn("192.0.2.1", "any") == 0.0
    assert kept.turn("2001:db8::2", "any") > 0.0


def test_many_tries_at_once_wait_in_turn_or_are_refused_unseen() -> None:
    """No number of connections makes guessing faster: so many seconds have at most so many looks."""
    clock = Clock()
    kept = BackOff(clock)
    for _ in range(6):
        guess(kept, clock, "192.0.2.1")
    assert kept.turn("192.0.2.1", "one") == LONGEST_S
    for number in range(100):
        with pytest.raises(TooManyTries, match=r"too many wrong tokens came from this address; try again in \d+ s"):
            kept.turn("192.0.2.1", f"guess {number}")


def test_what_was_right_before_does_not_wait() -> None:
    """Who works behind an address is not locked out by who guesses there; a token that is revoked waits again."""
    clock = Clock()
    kept = BackOff(clock)
    kept.note("192.0.2.1", "ann's", is_right=True)
    for _ in range(6):
        guess(kept, clock, "192.0.2.1")
    assert kept.turn("192.0.2.1", "ann's") == 0.0
    assert kept.turn("192.0.2.1", "bob's") == LONGEST_S
    kept.note("192.0.2.1", "ann's", is_right=False)
    with pytest.raises(TooManyTries):
        kept.turn("192.0.2.1", "ann's")


def test_what_is_remembered_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses and tokens that were used last stay."""
    monkeypatch.setattr(back_off, "MOST_ADDRESSES", 3)
    monkeypatch.setattr(back_off, "MOST_RIGHT", 2)
    kept = BackOff(Clock())
    for number in range(10):
        kept.note(f"192.0.2.{number}", "wrong", is_right=False)
        kept.note("192.0.2.99", f"right {number}", is_right=True)
    assert kept.remembered == (3, 2)
    assert [kept.turn(f"192.0.2.{number}", "any") > 0 for number in (0, 6, 7, 9)] == [False, False, True, True]


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.booleans(), st.floats(0, 20)), max_size=60))
def test_nobody_waits_longer_than_the_limit(tries: list[tuple[str, bool, float]]) -> None:
    """Whatever comes when: a wait is within the limit, and who never sent a wrong token has none."""
    clock = Clock()
    kept = BackOff(clock)
    for address, is_right, later_s in tries:
        clock.now_s += later_s
        with contextlib.suppress(TooManyTries):
            assert 0.0 <= kept.turn(address, "token") <= LONGEST_S
        kept.note(address, "token", is_right=is_right)
        assert kept.turn("c", "token") == 0.0


def test_a_door_looks_at_a_try_in_its_turn() -> None:
    """It sleeps as long as the turn says; a right token of another address enters meanwhile, and no token is no try."""
    clock = Clock()
    queries, keys = PlayedQueries({}), Keys(ann=Scope.QUERY)

    async def work() -> list[Identity | None]:
        lanes = Lanes(queries)
        door = Admission(keys, lanes, BackOff(clock), clock.sleep)
        found = [await door.identify(token, "192.0.2.1") for token in ("", "x", "", "y", "z")]
        begun_s = clock.now_s
        found.append(await door.identify("ann", "192.0.2.2"))
        assert clock.now_s == begun_s
        found.append(await door.identify("ann", "192.0.2.1"))
        lanes.close()
        return found

    found = asyncio.run(work())
    assert [one is not None for one in found] == [False] * 5 + [True, True]
    assert clock.now_s == 1000.0 + 0.5 + 1.0 + 2.0


def test_http_says_when_to_come_again() -> None:
    """429 with Retry-After, in Qserv's routes an error of the envelope; health is told, and who worked goes on."""
    work = Work(played_services(PlayedQueries({}), Keys(ann=Scope.QUERY)), ServeFile(http="127.0.0.1:0"))
    kept = BackOff(Clock())
    work.admission._back_off = kept
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:
        ann, wrong = ({"authorization": f"Bearer {token}"} for token in ("ann", "wrong"))
        assert client.get("/metrics", headers=ann).status_code == 200
        for _ in range(9):
            kept.note("testclient", "wrong", is_right=False)
        kept.turn("testclient", "wrong")
        answer = client.get("/metrics", headers=wrong)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "8")
        assert "too many wrong tokens" in answer.text
        assert "too many wrong tokens" in client.post("/query?version=55", json={}, headers=wrong).json()["error"]
        assert client.get("/tap/sync", headers=wrong).status_code == 429
        assert [client.get(path, headers=ann).status_code for path in ("/metrics", "/health/live")] == [200, 200]
    work.lanes.close()
