"""The interpreter's thread switch interval, shorter in processes that drive so that queries are sent on time.

It is a setting of the whole process, so it is set only in driver processes and by commands whose process is the driver.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_S = 0.0005
"""Seconds that a thread may keep the interpreter while another waits; Python's default is 0.005."""


@contextmanager
def quick_switching() -> Iterator[None]:
    """Inside the block, threads of this process wait ten times less for each other."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
