"""Figures of latencies."""

from __future__ import annotations

import numpy as np

from skyshard.bench.pages.latency_figures import RASTER_FROM, LatencySeries, latency_by_class, latency_over_run


def series(label: str, n: int) -> LatencySeries:
    return LatencySeries(label, np.arange(n, dtype=float), np.full(n, 0.01), 1.0)


def test_classes_with_samples_are_drawn_in_both_widths() -> None:
    """A class without an answer has no band."""
    found = latency_by_class([series("drawn", 3), series("empty", 0)])
    for svg in (found.wide, found.narrow):
        assert "drawn" in svg
        assert "empty" not in svg


def test_many_samples_are_an_image_inside_the_figure() -> None:
    """A page of a million dots would not load."""
    assert "<image" not in latency_over_run([series("few", 10)], []).wide
    assert "<image" in latency_over_run([series("many", RASTER_FROM + 1)], [("one", 0.0)]).wide
