"""Settings of the whole process that only its program may choose: a library leaves them as they are.

The command line and the driver processes of a bench call :func:`allow_tuning` first of all. A czar then takes what is
loaded out of garbage collection, and keeps the threads that ask it apart from scans. Without that call it moves only
threads that it made itself. Called before NumPy is imported, it also keeps NumPy's linear algebra to one thread.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from pathlib import Path

_THRESHOLDS = (50_000, 10, 10)
"""Imports make many objects and no garbage: with Python's 700 a start looks hundreds of times for some."""

_LINEAR_ALGEBRA = "OPENBLAS_NUM_THREADS"
"""Starting a thread for each core takes a tenth of a second; Skyshard solves nothing but small systems of equations."""

_COMPLAINS_AT_THE_END = "duckdb"
"""A library that prints a page about each of its objects that is left when a process ends. What was loaded after the
last czar was opened is not frozen, and nothing is thawed for it: that would cost every command 30 ms."""

_NICE = 10
_is_allowed = False


def allow_tuning() -> None:
    """Let Skyshard tune this process: to be called by its program, before a czar is opened."""
    global _is_allowed
    _is_allowed = True
    gc.set_threshold(*_THRESHOLDS)
    os.environ.setdefault(_LINEAR_ALGEBRA, "1")


def is_tuning_allowed() -> bool:
    return _is_allowed


def freeze_loaded() -> None:
    """Take all objects that are there out of garbage collection, if tuning is allowed.

    What is loaded stays anyway: looking through it for garbage stops all threads for 30 ms at a time.
    """
    if _is_allowed:
        gc.freeze()
        if _COMPLAINS_AT_THE_END in sys.modules:
            atexit.register(gc.unfreeze)


def step_back() -> None:
    """Let others go first, if tuning is allowed: for work of a process beside which queries are to stay quick.

    The process gets the processors and the disk that nobody else wants (nice 10, idle I/O). Where sessions share the
    processors (autogroups), that counts for a process that has a session of its own only.
    """
    if not _is_allowed:
        return
    import psutil

    with contextlib.suppress(OSError):
        os.nice(max(0, _NICE - os.nice(0)))
    with contextlib.suppress(OSError, psutil.Error):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(_NICE))
