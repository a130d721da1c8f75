"""Progress of a phase is reported beside the phase, not by it."""

from __future__ import annotations

import threading

from skyshard.basics.progress import Progress, Stage
from skyshard.bench.drive.progress_thread import ProgressThread


def test_a_phase_does_not_wait_for_a_watcher_that_does() -> None:
    """A terminal that takes no more text holds the reporting thread only, until the phase is over."""
    seen: list[Progress] = []
    is_told, may_go = threading.Event(), threading.Event()

    def slow(progress: Progress) -> None:
        is_told.set()
        may_go.wait(60)
        seen.append(progress)

    done = 0
    with ProgressThread(Stage(slow, "phase one", 3), lambda: done):
        assert is_told.wait(60)
        done = 3  # the phase comes to its end while the watcher still waits
        assert seen == []
        may_go.set()
    assert [(one.stage, one.done, one.total) for one in (seen[0], seen[-1])] == [
        ("phase one", 0, 3),
        ("phase one", 3, 3),
    ]


def test_an_endless_phase_is_never_shown_as_finished_before_its_end() -> None:
    """Without a known total the total stays one ahead, and is what was done at the end."""
    seen: list[Progress] = []
    is_told = threading.Event()

    def watch(progress: Progress) -> None:
        seen.append(progress)
        is_told.set()

    with ProgressThread(Stage(watch, "phase one", 0), lambda: 7):
        assert is_told.wait(60)
    assert {(one.done, one.total) for one in seen[:-1]} == {(7, 8)}
    assert (seen[-1].done, seen[-1].total) == (7, 7)
