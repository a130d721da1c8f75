"""How many cases are drawn: ``SKYSHARD_TEST_DEPTH`` multiplies the numbers of a usual run.

Each run draws others, so that depth is also had by running again. Kinds of cases are written out, and are the same at
any depth.
"""

from __future__ import annotations

import os

DEPTH = float(os.environ.get("SKYSHARD_TEST_DEPTH", "1"))


def drawn(count: int) -> int:
    """So many cases instead of ``count``, and one at least."""
    return max(1, round(count * DEPTH))


def how_many(variable: str, usual: int) -> int:
    """What a variable of the environment says; without it ``drawn(usual)``."""
    return int(os.environ.get(variable) or drawn(usual))
