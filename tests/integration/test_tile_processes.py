"""Processes of tiles as the driver starts them."""

import signal
import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.support.telling_store import TellingStore, never_open

from skyshard.basics.errors import UserError
from skyshard.bench.clock import WallClock
from skyshard.bench.drive.thread_switching import SWITCH_S, quick_switching
from skyshard.bench.visits import tile_processes
from skyshard.bench.visits.tile_processes import TileProcesses

pytestmark = pytest.mark.integration


def test_a_process_leaves_ctrl_c_to_the_command_from_its_first_moment() -> None:
    """Also while it is loaded, for a second or two; its threads wait for each other as long as the command's."""
    with quick_switching():
        tiles = TileProcesses(TellingStore, 1, WallClock(), 4, sums=False)
    with closing(tiles), pytest.raises(UserError) as told:
        tiles.prepare_month(0.0)
    assert str(told.value) == f"SIG_IGN SIG_IGN SIG_IGN; {SWITCH_S}"


def test_ctrl_c_does_not_wait_for_a_process_that_opens_its_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has stored nothing, and is ended at once."""
    monkeypatch.setattr(tile_processes, "_END_S", 3600.0)
    begun = tmp_path / "begun"

    def interrupt() -> None:
        while not begun.exists():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        TileProcesses(partial(never_open, begun), 1, WallClock(), 4, sums=False)
