"""Figures of load: queries in flight, latency under load."""

from __future__ import annotations

import numpy as np

from skyshard.bench.pages.load_figures import UnderLoad, in_flight, latency_under_load


def test_queries_in_flight_are_counted() -> None:
    """Three that overlap, then one alone."""
    sent, last = np.array([0.0, 1.0, 2.0, 9.0]), np.array([5.0, 5.0, 5.0, 10.0])
    assert in_flight(sent, last).tolist() == [1, 2, 3, 1]


def test_load_that_no_three_samples_met_is_not_drawn() -> None:
    """One sample at each of five levels: no figure, and no warning; three at two levels: a figure."""
    thin = UnderLoad("LV", np.arange(1, 6), np.full(5, 0.1))
    assert latency_under_load([thin]) is None
    assert latency_under_load([thin, UnderLoad("LV", np.array([1, 1, 1, 2, 2, 2]), np.full(6, 0.1))]) is not None
