"""Settings of the whole process that only its program may choose: a library leaves them as they are.

The command line and the driver processes of a bench call :func:`allow_tuning` first of all. A czar then takes what is
loaded out of garbage collection, and keeps the threads that ask it apart from scans. Without that call it moves only
threads that it made itself. Called before NumPy is imported, it also keeps NumPy's linear algebra to one thread.
"""

from __future__ import annotations

import gc
import os

_THRESHOLDS = (50_000, 10, 10)
"""Imports make many objects and no garbage: with Python's 700 a start looks hundreds of times for some."""

_LINEAR_ALGEBRA = "OPENBLAS_NUM_THREADS"
"""Starting a thread for each core takes a tenth of a second; Skyshard solves nothing but small systems of equations."""

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
