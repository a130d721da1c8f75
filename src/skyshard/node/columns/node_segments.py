"""The segments of one node: what there are, and whether they are as they were written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skyshard.columns.segment_file import Segment
from skyshard.columns.segment_folder import SegmentFolder
from skyshard.columns.segment_index import UnreadableSegment
from skyshard.node.messages import SegmentFacts


def find_segments(folder: SegmentFolder) -> list[SegmentFacts]:
    """The segments of a folder, sorted by path."""
    segments, unreadable = folder.segments()
    found = [SegmentFacts(str(one.path), one.size, "", one.index.without_figures()) for one in segments]
    found += [SegmentFacts(str(path), _size(path), fault) for path, fault in unreadable.items()]
    return sorted(found, key=lambda one: one.path)


def read_segments(paths: Sequence[str]) -> dict[str, str]:
    """Read segments whole: path → the first fault, of those that have one."""
    found = {}
    for path in paths:
        try:
            fault = next(Segment.open(Path(path)).faults(), "")
        except UnreadableSegment as error:
            fault = str(error)
        if fault:
            found[path] = fault
    return found


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
