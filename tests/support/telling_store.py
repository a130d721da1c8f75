"""A store for a process of tiles, which tells how that process is set up."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

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
