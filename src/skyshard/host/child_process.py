"""What a process begins with that does a part of another one's work (``multiprocessing``)."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading

from skyshard.host.interrupts import ENDING_SIGNALS


def follow_parent() -> None:
    """Leave Ctrl-C, SIGTERM and SIGHUP to the parent, and end when it has, however that ended, whatever is done then.

    A terminal sends them to all processes; and one that waits for work of a parent that was killed waits for ever.
    """
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
