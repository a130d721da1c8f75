"""Heartbeats come while a czar works, and never from a query's own thread."""

from __future__ import annotations

import threading

from skyshard.basics.errors import ClusterError
from skyshard.czar.run.czar_beats import CzarBeats


class Kept:
    """Beats that are counted; the first one fails."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.second, self.has_ended = threading.Event(), False

    def beat(self) -> None:
        self.threads.append(threading.current_thread().name)
        if len(self.threads) == 1:
            raise ClusterError("the czar's server is gone")
        self.second.set()

    def end(self) -> None:
        self.has_ended = True

    def living(self) -> frozenset[str]:
        raise ClusterError("the czar's server is gone")


def test_a_czar_beats_while_it_works_and_takes_it_back_at_its_end() -> None:
    """One beat that could not be written does not end the next; who lives is not known where nobody answers."""
    kept = Kept()
    beats = CzarBeats(kept, each_s=0.001)
    with beats.during():
        assert kept.second.wait(60)
        assert beats.living() is None
    beats.close()
    assert set(kept.threads) == {"beats"}
    assert kept.has_ended


def test_a_czar_that_did_not_work_long_has_nothing_to_take_back() -> None:
    """What ends within the first interval writes nothing; without a registry nothing is known."""
    kept = Kept()
    short, alone = CzarBeats(kept), CzarBeats(None)
    with short.during(), alone.during():
        pass
    short.close()
    alone.close()
    assert not kept.threads
    assert not kept.has_ended
    assert alone.living() is None


def test_what_fails_beside_the_beats_does_not_end_them() -> None:
    """Others take the tables of a czar without beats for left behind."""

    def fail() -> None:
        raise OSError(24, "Too many open files")

    kept = Kept()
    beats = CzarBeats(kept, fail, each_s=0.001)
    with beats.during():
        assert kept.second.wait(60)
    beats.close()
    assert kept.has_ended
