"""The segments of one node: what there are, and whether they are as they were written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from skyshard.columns.segment_file import OPEN_SEGMENTS, Segment
from skyshard.columns.segment_folder import SegmentFolder
from skyshard.columns.segment_index import UnreadableSegment
from skyshard.node.messages import SegmentFacts

SET_ASIDE = "it was found damaged"


def find_segments(folder: SegmentFolder) -> list[SegmentFacts]:
    """The segments of a folder, sorted by path; those that were set aside are among them, with their fault."""
    found = [_facts(path, "") for path in folder.files()] + [_facts(path, SET_ASIDE) for path in folder.aside()]
    return sorted(found, key=lambda one: one.path)


def _facts(path: Path, fault: str) -> SegmentFacts:
    try:
        index = (Segment.open(path) if fault else OPEN_SEGMENTS.get(path)).index.without_figures()
    except UnreadableSegment as error:
        return SegmentFacts(str(path), path.parent.name, _size(path), str(error))
    return SegmentFacts(str(path), path.parent.name, _size(path), fault, index)


def read_segments(paths: Sequence[str]) -> dict[str, str]:
    """Read segments whole: path → the first fault, of those that have one; what is gone meanwhile has none."""
    found = {}
    for path in paths:
        try:
            fault = next(Segment.open(Path(path)).faults(), "")
        except UnreadableSegment as error:
            fault = str(error) if os.path.exists(path) else ""
        if fault:
            found[path] = fault
    return found


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
