"""Processes of tiles as the driver starts them."""

from contextlib import closing

import pytest
from tests.support.telling_store import TellingStore

from skyshard.basics.errors import UserError
from skyshard.bench.clock import WallClock
from skyshard.bench.drive.thread_switching import SWITCH_S, quick_switching
from skyshard.bench.visits.tile_processes import TileProcesses

pytestmark = pytest.mark.integration


def test_a_process_leaves_ctrl_c_to_the_command_from_its_first_moment() -> None:
    """Also while it is loaded, for a second or two; its threads wait for each other as long as the command's."""
    with quick_switching():
        tiles = TileProcesses(TellingStore, 1, WallClock(), 4, sums=False)
    with closing(tiles), pytest.raises(UserError) as told:
        tiles.prepare_month(0.0)
    assert str(told.value) == f"SIG_IGN SIG_IGN SIG_IGN; {SWITCH_S}"
