"""Which files all hosts see as this one does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from skyshard.ingest.on_nodes.moved_blocks import AwayHost
from skyshard.ingest.transaction.partition_places import are_seen
from skyshard.node.host_files import FileState, HostFiles
from skyshard.runtime import open_runtime


class OtherFiles(HostFiles):
    """Of a host whose disk has other files of these names: none, or older ones."""

    def states(self, paths: Sequence[str]) -> list[FileState | None]:
        seen = super().states([path for path in paths if "gone" not in path])
        return [*(one and FileState(one.size, one.changed_ns - 1) for one in seen), *[None] * (len(paths) - len(seen))]


def test_every_file_has_to_be_seen_by_every_host_as_it_is_here(tmp_path: Path) -> None:
    """The first one alone says nothing of the others; a file that is not here either is read, and missed, here."""
    names = [str(tmp_path / name) for name in ("a", "b", "gone")]
    for name in names:
        Path(name).write_text(name)
    with open_runtime("inline", ("node1", "node2")) as runtime:
        away = {"node1": AwayHost(runtime.actor("node1", HostFiles, node="node1"), tmp_path, tmp_path)}
        assert are_seen(away, names)
        assert not are_seen(away, [*names, str(tmp_path / "none")])
        assert not are_seen(away, [*names, os.path.relpath(names[0])])
        away["node2"] = AwayHost(runtime.actor("node2", OtherFiles, node="node2"), tmp_path, tmp_path)
        assert not are_seen(away, names[2:])
        assert not are_seen(away, names[:1])
