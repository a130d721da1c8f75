"""Times and fields of visits."""

import numpy as np
import pytest
from tests.support.visit_skies import small_sky

from skyshard.apdb.sky.cadence import visit_fields, visit_times
from skyshard.apdb.sky.sky_settings import START_MJD


@pytest.mark.parametrize("a_month", [1, 4, 13, 73, 30_000])
def test_a_month_has_its_visits_and_time_only_grows(a_month: int) -> None:
    """Nights are filled evenly; any 30 nights have as many visits as asked for, to within one."""
    times = visit_times(small_sky(count=4 * a_month + 3, visits_per_month=a_month))
    assert times[0] == START_MJD
    assert (np.diff(times) > 0).all()
    assert np.searchsorted(times, times[0] + 30.0) in (a_month, a_month + 1)


def test_visits_of_a_night_are_45_seconds_apart() -> None:
    """300 visits a month are ten a night."""
    times = visit_times(small_sky(count=20, visits_per_month=300))
    assert np.allclose(np.diff(times[:10]) * 86_400, 45.0, atol=1e-3)
    assert times[10] == START_MJD + 1


def test_fields_take_turns_or_are_drawn() -> None:
    """In turn, every field is met as often; at random, all are met, and a longer run begins as a shorter one."""
    assert visit_fields(small_sky(count=6)).tolist() == [0, 1, 0, 1, 0, 1]
    drawn = [visit_fields(small_sky(count=count, order="random")) for count in (50, 90)]
    assert set(drawn[0].tolist()) == {0, 1}
    assert drawn[0].tolist() == drawn[1][:50].tolist()
