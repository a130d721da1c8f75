"""The files of events: bounded, whole lines of several processes, readable after anything."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import stat
from pathlib import Path

from skyshard.log.event_files import EventFiles, KeptEvent
from skyshard.log.events import NODE_ANSWERS, SERVER_STOPPED, Subject


def test_events_come_back_in_their_order(tmp_path: Path) -> None:
    """What was told first is read first."""
    files = EventFiles(tmp_path)
    for number in range(5):
        files.add(NODE_ANSWERS, {"node": f"node{number}"})
    assert [one.fields["node"] for one in files.read(Subject.NODE)] == [f"node{number}" for number in range(5)]
    assert all(one.process == os.getpid() for one in files.read(Subject.NODE))


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    """A file of events may hold texts of statements."""
    EventFiles(tmp_path).add(NODE_ANSWERS, {"node": "node1"})
    assert stat.S_IMODE((tmp_path / "node.jsonl").stat().st_mode) == 0o600


def test_a_full_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """A subject keeps the last events, in two files at most, each little more than the bound."""
    files = EventFiles(tmp_path, file_bytes=2000)
    for number in range(200):
        files.add(NODE_ANSWERS, {"node": str(number)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node.1.jsonl", "node.jsonl"]
    assert max(path.stat().st_size for path in tmp_path.iterdir()) < 2300
    kept = [int(one.fields["node"]) for one in files.read(Subject.NODE)]
    assert kept == list(range(kept[0], 200))
    assert len(kept) > 10


def test_a_torn_or_foreign_line_hides_no_other(tmp_path: Path) -> None:
    """Lines that are no events, or of another version, are passed over."""
    files = EventFiles(tmp_path)
    files.add(NODE_ANSWERS, {"node": "node1"})
    with (tmp_path / "node.jsonl").open("a") as file:
        file.write('{"version": 1, "time_s": 3.0, "ev\n\n[]\nnull\n')
        file.write(json.dumps({"version": 99, "time_s": 1.0}) + "\n")
    files.add(SERVER_STOPPED, {"node": "node1"})
    assert [one.event for one in files.read(Subject.NODE)] == ["node_answers", "server_stopped"]


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    """From both files, by time."""
    files = EventFiles(tmp_path, file_bytes=2000)
    for number in range(15):
        files.add(NODE_ANSWERS, {"node": f"node{number % 2}"})
    found = files.read(Subject.NODE, lambda one: one.fields["node"] == "node1")
    assert found == [one for one in files.read(Subject.NODE) if one.fields["node"] == "node1"]
    assert len(found) > 2


def test_a_file_that_is_put_aside_meanwhile_is_read(tmp_path: Path) -> None:
    """Once: where it was full while the older one was read, all of its events were missing."""
    files = EventFiles(tmp_path, file_bytes=2000)
    for number in range(15):
        files.add(NODE_ANSWERS, {"node": f"node{number}"})
    before = {one.fields["node"] for one in files.read(Subject.NODE)}
    older, inodes = tmp_path / "node.1.jsonl", set[int]()

    def is_wanted(_: KeptEvent) -> bool:
        inodes.add(older.stat().st_ino)
        while len(inodes) == 1:
            files.add(NODE_ANSWERS, {"node": "later"})
            inodes.add(older.stat().st_ino)
        return True

    found = [one.fields["node"] for one in files.read(Subject.NODE, is_wanted)]
    assert before <= set(found)
    assert len(before) == len([name for name in found if name != "later"])


def _add_many(folder: Path, who: int, count: int) -> None:
    files = EventFiles(folder, file_bytes=20_000)
    for number in range(count):
        files.add(NODE_ANSWERS, {"node": f"{who}-{number}"})


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    """Three writers, and files that are exchanged meanwhile: every line that is kept is an event."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_add_many, args=(tmp_path, who, 300)) for who in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    found = EventFiles(tmp_path).read(Subject.NODE)
    assert len(found) == len(lines) > 100
    for who in range(3):
        mine = [int(str(one.fields["node"]).partition("-")[2]) for one in found if one.fields["node"][0] == str(who)]  # type: ignore[index]
        assert mine == sorted(mine)


def _add_and_die(folder: Path) -> None:
    EventFiles(folder).add(NODE_ANSWERS, {"node": "node1"})
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_event_outlives_the_process_that_told_it(tmp_path: Path) -> None:
    """What was told a moment before SIGKILL is there."""
    writer = multiprocessing.get_context("fork").Process(target=_add_and_die, args=(tmp_path,))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    assert [one.event for one in EventFiles(tmp_path).read(Subject.NODE)] == ["node_answers"]
