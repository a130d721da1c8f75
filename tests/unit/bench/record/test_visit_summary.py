"""The numbers of visits, against what was put into their samples."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tests.support.visit_trials import FACTS, READS, MadeVisits, made_samples

from skyshard.bench.record.visit_samples import VISIT_SAMPLES
from skyshard.bench.record.visit_summary import PhaseNumbers, VisitSummary, summarise_visits
from skyshard.bench.record.visit_times import visit_times


def _phase(made: MadeVisits) -> PhaseNumbers:
    return summarise_visits(made_samples(made), {made.phase: FACTS}).phases[0]


def test_visit_is_the_span_of_its_tiles() -> None:
    """A visit takes from its first tile's due time to its last tile's end, whatever the tiles overlap."""
    made = MadeVisits(visits=3, noise=0.0, before=0.0)
    times = visit_times(made_samples(made), "visits")
    assert np.allclose(times.whole.real_s, made.start_s + made.store_s + made.driver_s)
    assert times.whole.visit.tolist() == [0, 1, 2]
    assert times.whole.rows.tolist() == [80, 80, 80]


def test_reads_are_the_slowest_tiles_and_rows_are_summed() -> None:
    """One tile of two reads twice as long: that is the visit's time; rows are those of both."""
    rows = [
        ("visits", 5, tile, 60000.0, table, kind, 0.0, 0.0, done, 7, 70, 0.1, 0.05, None, None)
        for tile, done in ((0, 1.0), (1, 2.0))
        for table, kind in (("DiaSource", "select"), ("", "tile"))
    ]
    samples = pa.Table.from_pylist([dict(zip(VISIT_SAMPLES.names, one, strict=True)) for one in rows], VISIT_SAMPLES)
    times = visit_times(samples, "visits")
    assert times.read.real_s.tolist() == [2.0]
    assert times.read.rows.tolist() == [14]
    assert times.read.server_s.tolist() == pytest.approx([0.2])
    assert len(times.store.visit) == 0


def test_slopes_and_plateau_are_those_put_in() -> None:
    """The interval of the slope before the window holds the truth; afterwards a level line is level."""
    made = MadeVisits(before=0.4, after=0.0, noise=0.02, seed=3)
    read = _phase(made).of("", "select")
    assert read
    assert read.before
    assert read.after
    assert read.plateau
    assert read.before.low <= 0.4 <= read.before.high
    assert read.before.p < 0.001
    assert read.after.low <= 0 <= read.after.high
    assert read.plateau.low is not None
    assert read.plateau.high is not None
    assert read.plateau.low <= 0 <= read.plateau.high < 0.1


def test_growth_after_the_window_is_told_for_a_year() -> None:
    """Reads that keep growing have a plateau ratio of their slopes, and the growth of a year as a share."""
    made = MadeVisits(before=0.4, after=0.2, noise=0.01, seed=4)
    read = _phase(made).of("", "select")
    assert read
    assert read.plateau
    assert read.change_a_year
    assert read.level_s
    assert read.plateau.value == pytest.approx(0.5, abs=0.1)
    yearly = 0.2 / 1000 * 12 * FACTS.visits_per_month / read.level_s
    assert read.change_a_year.value == pytest.approx(yearly, rel=0.25)


def test_tables_and_kinds_are_told_apart() -> None:
    """Each table has its part of the time, reads first; a commit has no table."""
    phase = _phase(MadeVisits(noise=0.0))
    names = [one.name for one in phase.series]
    assert names[:3] == ["visit", "select", "store"]
    assert names[3:6] == ["DiaObjectLast select", "DiaSource select", "DiaForcedSource select"]
    assert names[-1] == "commit"
    whole = phase.of("", "select")
    for table, part, _ in READS:
        one = phase.of(table, "select")
        assert one
        assert whole
        assert one.median_s == pytest.approx(part * whole.median_s, rel=0.01)


def test_failed_tries_count_and_lost_visits_are_in_no_time() -> None:
    """A tile that failed and then ended well leaves its visit in; one that never ended takes the visit out."""
    made = MadeVisits(visits=40, failed=((3, 1),), lost=((7, 2),), wrong=((9, 0), (9, 1)))
    summary = summarise_visits(made_samples(made), {"visits": FACTS})
    phase = summary.phases[0]
    assert (phase.visits, phase.lost, phase.tries, phase.wrong, phase.compared) == (39, 1, 2, 2, 160)
    assert summary.failures == [
        "phase visits: 2 of 160 tiles were answered wrongly", "phase visits: 1 visit did not end whole"
    ]  # fmt: skip


def test_visits_of_which_only_a_part_was_measured_at_once_are_in_no_time() -> None:
    """A killed process took the samples of a tile along; a tile was sent when the trial was gone on with."""
    samples = made_samples(MadeVisits(visits=40))
    spoilt = [one for one in samples.to_pylist() if (one["visit"], one["tile"]) != (7, 2)]
    for one in spoilt:
        if (one["visit"], one["tile"]) == (12, 1):
            one.update({name: one[name] + 3600.0 for name in ("due_s", "sent_s", "done_s")})
    (phase,) = summarise_visits(pa.Table.from_pylist(spoilt, samples.schema), {"visits": FACTS}).phases
    assert (phase.visits, phase.lost, phase.compared) == (38, 0, 159)
    assert phase.whole
    assert phase.whole.max_s < 10


def test_share_above_limits() -> None:
    """Visits above the target are counted, and above the ten seconds that published runs tell."""
    phase = _phase(MadeVisits(noise=0.0, before=0.0, store_s=0.2))
    assert [(one.limit_s, one.share) for one in phase.above] == [(0.1, 1.0), (10.0, 0.0)]


def test_driver_share_is_what_no_operation_fills() -> None:
    """A millisecond of a tile's time in which nothing ran is the driver's."""
    made = MadeVisits(noise=0.0, before=0.0, driver_s=0.02)
    assert _phase(made).driver_share == pytest.approx(0.02 / (0.05 + 0.03 + 0.02))
    assert not summarise_visits(made_samples(made), {"visits": FACTS}).is_trustworthy


def test_short_phase_has_no_lines() -> None:
    """Ten visits have quartiles, and no line that pretends to know a slope."""
    phase = _phase(MadeVisits(visits=10))
    assert phase.whole
    assert (phase.whole.before, phase.whole.after, phase.whole.plateau) == (None, None, None)
    assert phase.whole.quantiles_s[0] == phase.whole.quantiles_s[1]


def test_summary_survives_its_file() -> None:
    """Written and read again it is the same."""
    summary = summarise_visits(made_samples(MadeVisits()), {"visits": FACTS})
    assert VisitSummary.model_validate_json(summary.model_dump_json()) == summary


def test_no_samples_are_no_phases() -> None:
    """An empty table has no phase, and is a failure."""
    found = summarise_visits(VISIT_SAMPLES.empty_table(), {})
    assert (found.phases, found.failures) == ([], ["no tile was sent"])
