"""Progress as values."""

from __future__ import annotations

import pytest

from skyshard.basics.progress import Progress, Stage, announce, unwatched


def test_a_rate_and_the_time_to_go_follow_from_what_has_passed() -> None:
    """1,000 rows in 2 s are 500 a second; one of four steps in 2 s leaves 6 s."""
    progress = Progress("load", 1, 4, rows=1000, elapsed_s=2.0)
    assert (progress.rows_per_s, progress.eta_s) == (500.0, 6.0)


def test_nothing_is_promised_before_the_first_step() -> None:
    """No rate without time, no time to go without a step."""
    assert (Progress("load", 0, 4).rows_per_s, Progress("load", 0, 4).eta_s) == (0.0, None)


def test_a_stage_reports_with_the_time_since_it_began() -> None:
    """Reports carry the stage's name, its steps and growing times."""
    seen: list[Progress] = []
    stage = Stage(seen.append, "copy", 2)
    for done in range(3):
        stage.report(done)
    assert [(one.stage, one.done, one.total) for one in seen] == [("copy", 0, 2), ("copy", 1, 2), ("copy", 2, 2)]
    assert 0 <= seen[0].elapsed_s <= seen[1].elapsed_s <= seen[2].elapsed_s


def test_an_error_of_a_watcher_ends_the_work() -> None:
    """Whoever watches may stop what is watched."""

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        announce(stop, "a sentence")
    announce(unwatched, "a sentence")
