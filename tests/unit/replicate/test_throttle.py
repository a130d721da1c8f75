"""A token bucket keeps to its rate, whatever the sizes and pauses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from skyshard.replicate.throttle import TokenBucket


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 3)), min_size=1, max_size=30))
def test_what_is_taken_never_exceeds_the_rate_by_more_than_the_burst_and_the_last_step(
    steps: list[tuple[float, float]],
) -> None:
    """Whoever waits as told has taken, before each step, at most rate times the time and the burst."""
    bucket, now_s, taken = TokenBucket(rate=10, burst=5, now_s=0.0), 0.0, 0.0
    for amount, pause_s in steps:
        assert taken <= 10 * now_s + 5 + 1e-6
        now_s += bucket.take(amount, now_s) + pause_s
        taken += amount


def test_a_rate_of_zero_lets_everything_pass() -> None:
    """Nobody waits."""
    assert TokenBucket(0, 0, 0.0).take(1e12, 0.0) == 0.0
