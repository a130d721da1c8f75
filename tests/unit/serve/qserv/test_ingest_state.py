"""What is registered, with several processes at work on its folder, of which some are killed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.serve.qserv.contributed_files import Allowed
from skyshard.serve.qserv.contributions import Contributions
from skyshard.serve.qserv.ingest_state import ContribState, Contribution, IngestState, Registered, Transaction

HEAD = """
import sys
from pathlib import Path
from skyshard.serve.qserv.ingest_state import IngestState, Transaction
state = IngestState(Path(sys.argv[1]))
"""
ADDS = f"""{HEAD}
print("begun", flush=True)
sys.stdin.read()
for _ in range(25):
    with state.lock:
        registered = state.get("handed")
        registered.transactions.append(Transaction(id=state.next_number("transaction")))
        state.put(registered)
"""
PUBLISHES = f"""{HEAD}
with state.publishing("handed"):
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path) -> IngestState:
    made = IngestState(tmp_path / "state")
    with made.lock:
        made.put(Registered(database="handed", stripes=85, substripes=12, overlap_deg=0.01))
    return made


@contextlib.contextmanager
def process(tmp_path: Path, program: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program, str(tmp_path / "state")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as made:
        try:
            yield made
        finally:
            made.kill()


def test_what_several_processes_register_is_all_there(state: IngestState, tmp_path: Path) -> None:
    """None writes what it read before another one wrote; no number is given twice."""
    with process(tmp_path, ADDS) as one, process(tmp_path, ADDS) as other:
        for begun in (one, other):
            assert begun.stdout is not None
            assert begun.stdout.readline() == "begun\n"
        for begun in (one, other):  # side by side: when the one had read the program the other was done
            assert begun.stdin is not None
            begun.stdin.close()
        assert (one.wait(), other.wait()) == (0, 0)
    assert [each.id for each in state.get("handed").transactions] == list(range(1, 51))


def test_what_another_process_publishes_is_not_changed(state: IngestState, tmp_path: Path) -> None:
    """Until it has ended, or was killed."""
    with process(tmp_path, PUBLISHES) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "begun\n"
        for _ in range(2):  # looking does not take it away
            with pytest.raises(ClusterError, match="'handed' is being published; ask again once it is"):
                state.changeable("handed")
        with pytest.raises(ClusterError, match="'handed' is being published"), state.publishing("handed"):
            pass
        other.kill()
        other.wait()
        assert state.changeable("handed").database == "handed"
    with state.publishing("handed"), pytest.raises(ClusterError, match="'handed' is being published"):
        state.changeable("handed")
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["handed.json"]


def test_what_a_process_reads_has_not_failed_before_it_is_gone(state: IngestState) -> None:
    """Of whatever host; one of another host was taken for gone. Rows that came within a request cannot be read again;
    those at a URL can."""
    here, elsewhere, gone = "here 1 1 a", "elsewhere 1 1 b", "here 2 2 c"
    asked = [("file:///a", here), ("file:///a", gone), ("", gone), ("file:///a", elsewhere), ("file:///a", "")]
    registered = state.get("handed")
    registered.transactions = [Transaction(id=1)]
    registered.contributions = [
        Contribution(id=number, transaction=1, table="T", chunk=-1, is_overlap=False, url=url, process=name)
        for number, (url, name) in enumerate(asked, 1)
    ]
    with state.lock:
        state.put(registered)
    held = [state.serving(name) for name in (here, elsewhere)]
    assert [one.take() for one in held] == [True, True]
    contributions = Contributions(state, Allowed(), limit_bytes=1, ending=threading.Event())
    contributions.recover()
    failed, goes_on = ContribState.READ_FAILED, ContribState.IN_PROGRESS
    found = [(one.state, one.can_retry) for one in state.get("handed").contributions]
    assert found == [(goes_on, False), (failed, True), (failed, False), (goes_on, False), (failed, True)]
    held[1].leave()
    assert contributions.found(4)[1].state is failed  # also where nobody begins anew
    assert contributions.found(1)[1].state is goes_on
    held[0].leave()


def test_what_a_killed_process_left_of_other_databases_is_removed(state: IngestState, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    for name in ("gone.files", "gone.publish", "check-abc", "handed.files", "handed.publish"):
        (folder / name / "inside").mkdir(parents=True)
    for name in (".gone.json.12.tmp", ".numbers.json.7.tmp", "numbers.json"):
        (folder / name).write_text('{"version": 1}')
    Contributions(state, Allowed(), limit_bytes=1, ending=threading.Event()).recover()
    left = ["handed.files", "handed.json", "handed.publish", "numbers.json"]
    assert sorted(path.name for path in folder.iterdir()) == left
