"""Due times are fixed before a run and do not depend on answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.bench.workload.arrivals import Process, client_starts, due_times, due_times_within, next_due

processes = st.sampled_from(["poisson", "regular"])
rates = st.floats(0.01, 5_000)


@given(processes, rates, st.integers(0, 500), st.integers(0, 2**32))
def test_due_times_never_go_back(process: Process, rate: float, count: int, seed: int) -> None:
    """There are as many due times as asked for, none negative, none before the one before it."""
    times = due_times(process, rate, count, np.random.default_rng(seed))
    assert len(times) == count
    assert (np.diff(times) >= 0).all()
    assert (times >= 0).all()


@given(processes, st.floats(0.1, 500), st.floats(0.01, 20), st.integers(0, 2**32))
def test_a_duration_bounds_all_due_times(process: Process, rate: float, duration: float, seed: int) -> None:
    """With a duration every due time lies in it, and a regular process fills it."""
    times = due_times_within(process, rate, duration, np.random.default_rng(seed))
    assert (times < duration).all()
    if process == "regular":
        assert abs(len(times) - rate * duration) <= 1


@given(processes, rates, st.integers(0, 2**32))
def test_equal_seeds_give_equal_due_times(process: Process, rate: float, seed: int) -> None:
    """The schedule is a function of the seed."""
    twice = [due_times(process, rate, 50, np.random.default_rng(seed)) for _ in range(2)]
    assert (twice[0] == twice[1]).all()


def test_poisson_gaps_have_the_rate_and_the_spread_of_an_exponential() -> None:
    """20,000 gaps of a Poisson process at 50/s have mean and standard deviation 0.02 s within 3 %."""
    gaps = np.diff(due_times("poisson", 50.0, 20_001, np.random.default_rng(3)))
    assert gaps.mean() == pytest.approx(0.02, rel=0.03)
    assert gaps.std() == pytest.approx(0.02, rel=0.03)


@given(st.integers(1, 200), st.floats(0, 1e4))
def test_clients_start_within_the_ramp(clients: int, ramp: float) -> None:
    """The first client starts at once, the others evenly before the ramp ends."""
    starts = client_starts(clients, ramp)
    assert starts[0] == 0
    assert (starts <= ramp).all()
    assert np.allclose(np.diff(starts), ramp / clients)


def test_a_closed_loop_asks_after_its_think_time() -> None:
    """The next query is due a think time after the answer."""
    assert next_due(10.0, 0.5) == 10.5
