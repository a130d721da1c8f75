"""Which memory goes back to the system, and which stays."""

from __future__ import annotations

import subprocess
import sys

import pytest

THREADS = 4
MESSAGES = f"""
import sys
from threading import Barrier, Thread
from skyshard.host.malloc_limits import keep_one_store
if sys.argv[1] == "program":
    keep_one_store()
from tests.support.freed import resident_bytes
from skyshard.host.freed_memory import give_back_memory
together = Barrier({THREADS + 1})
def work():
    for _ in range(3):
        message = b"x" * (16 << 20)
        together.wait()
        del message
        together.wait()
    together.wait()
threads = [Thread(target=work) for _ in range({THREADS})]
give_back_memory()
before = resident_bytes()
for thread in threads:
    thread.start()
for _ in range(6):
    together.wait()
give_back_memory()
print(resident_bytes() - before)
together.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is of the GNU C library")
def test_large_messages_leave_nothing_in_the_stores_of_threads() -> None:
    """Without it, those that come after the first one do; the threads are still there."""

    def left(who: str) -> int:
        run = subprocess.run([sys.executable, "-c", MESSAGES, who], capture_output=True, text=True, check=True)
        return int(run.stdout)

    assert left("program") < 8 << 20
    assert left("library") > THREADS * (8 << 20)


FAULTS = """
import resource, sys
import numpy as np
from skyshard.host.malloc_limits import keep_freed_memory

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
