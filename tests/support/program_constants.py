"""Hypothesis without the constants of the program that it tests."""

from __future__ import annotations


def leave_out_constants() -> None:
    """Have Hypothesis not parse every module for constants, to draw one of them now and then.

    That takes eight seconds of each process in a fresh clone, and any one of the 6,000 comes in hardly a run; runs in
    depth have them. It is done by names that are Hypothesis' own: where a release lacks one, nothing is left out.
    """
    try:
        from hypothesis.internal.conjecture import providers
    except ImportError:
        return
    if hasattr(providers, "_get_local_constants") and hasattr(providers, "_local_constants"):
        providers._get_local_constants = lambda: providers._local_constants
