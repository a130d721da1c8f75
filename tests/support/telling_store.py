"""Stores for processes of tiles: one tells how its process is set up, one is never open."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.naive_visit_store import NaiveStore

from skyshard.apdb.model import Operation
from skyshard.basics.errors import UserError
from skyshard.host.interrupts import ENDING_SIGNALS

_WHEN_LOADED = [signal.getsignal(number) for number in ENDING_SIGNALS]
"""What was done about signals when the process had just begun."""


class TellingStore(NaiveStore):
    """Its error has what it tells."""

    def prepare_month(self, time: float) -> Sequence[Operation]:
        names = " ".join(getattr(one, "name", "a function") for one in _WHEN_LOADED)
        raise UserError(names, remedy=f"{sys.getswitchinterval()}")


def never_open(begun: Path) -> NaiveStore:
    """Makes a file when it begins."""
    begun.touch()
    while True:
        time.sleep(60)
