"""Memory of freed arrays: kept in the process, up to a bound."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from skyshard.rowimage.malloc_tuning import keep_freed_memory

keep_freed_memory()

def pages_from_the_system():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    made = [np.full(6 << 20, 1, np.uint8) for _ in range(15)]
    del made
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(pages_from_the_system(), pages_from_the_system())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only the GNU C library can")
def test_arrays_of_90_mb_are_made_again_in_the_memory_of_freed_ones() -> None:
    """The second time, next to no page comes from the system."""
    first, again = map(int, subprocess.check_output([sys.executable, "-c", FAULTS], text=True).split())
    assert again * 4 < first
