"""Blocks from host to host: they arrive, a bounded number at a time, and what is behind an error is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.ingest.on_nodes import moved_blocks
from skyshard.ingest.on_nodes.carried_slices import Block
from skyshard.ingest.on_nodes.moved_blocks import AwayHost, BlockMover
from skyshard.node.host_files import FilePart, HostFiles
from skyshard.runtime import Runtime, open_runtime


class GoneFiles(HostFiles):
    """Of a host that does not answer."""

    def __init__(self) -> None:
        raise ClusterError("its cable is out", retryable=True)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with open_runtime("inline", ("node1", "node2")) as opened:
        yield opened


def mover_of(runtime: Runtime, folder: Path, **gone: bool) -> BlockMover:
    away = {
        name: AwayHost(runtime.actor(name, GoneFiles if name in gone else HostFiles, node=name), folder, folder)
        for name in ("node1", "node2")
    }
    return BlockMover(runtime, away)


@pytest.mark.parametrize(("source", "to"), [("", "node1"), ("node1", "node2"), ("node2", "")])
def test_blocks_arrive_in_their_places(runtime: Runtime, tmp_path: Path, source: str, to: str) -> None:
    """From this host, between others, and to this one; more of them than are on their way at once."""
    (tmp_path / "a").write_bytes(bytes(range(40)))
    parts = [FilePart(str(tmp_path / "a"), at, 4) for at in range(0, 40, 4)]
    blocks = [Block(source, (part,), (FilePart(str(tmp_path / "b"), part.offset, 4),)) for part in parts]
    mover_of(runtime, tmp_path).move(blocks, to)
    assert (tmp_path / "b").read_bytes() == bytes(range(40))


def test_a_file_of_this_host_reaches_all_others(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block is read once; what an earlier try left is gone."""
    monkeypatch.setattr("skyshard.ingest.on_nodes.carried_slices.BLOCK_BYTES", 3)
    (tmp_path / "keys").write_bytes(b"0123456789")
    (tmp_path / "node1").write_bytes(b"of an earlier try, longer")
    to = {name: str(tmp_path / name) for name in ("node1", "node2")}
    mover_of(runtime, tmp_path).spread(str(tmp_path / "keys"), 10, to)
    assert {(tmp_path / name).read_bytes() for name in to} == {b"0123456789"}


@pytest.mark.parametrize(("source", "to", "gone"), [("", "node1", "node1"), ("node2", "node1", "node2")])
def test_the_host_that_does_not_answer_is_named(
    runtime: Runtime, tmp_path: Path, source: str, to: str, gone: str
) -> None:
    """Whether it reads or writes; and blocks go on to others after it."""
    (tmp_path / "a").write_bytes(b"abc")
    block = Block(source, (FilePart(str(tmp_path / "a"), 0, 3),), (FilePart(str(tmp_path / "b"), 0, 3),))
    mover = mover_of(runtime, tmp_path, **{gone: True})
    for _ in range(2 * moved_blocks.FROM_HERE):
        with pytest.raises(ClusterError, match=rf"node '{gone}': its cable is out"):
            mover.move([block], to)


def test_a_file_that_is_gone_is_of_the_host_that_reads(runtime: Runtime, tmp_path: Path) -> None:
    """Both hosts answer, so it is the reader that has not got it."""
    block = Block("node1", (FilePart(str(tmp_path / "gone"), 0, 3),), (FilePart(str(tmp_path / "b"), 0, 3),))
    with pytest.raises(ClusterError, match=r"node 'node1': cannot read '.*gone'"):
        mover_of(runtime, tmp_path).move([block], "node2")
