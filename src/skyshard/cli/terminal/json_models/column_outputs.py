"""What ``skyshard columns`` prints with ``--json``, as models. No I/O."""

from __future__ import annotations

from skyshard.cli.terminal.json_models.output import Output


class TableImagesOutput(Output):
    """What a node has of one kind of table."""

    node: str
    table: str
    is_overlap: bool
    tables: int
    """Good replicas there are."""
    imaged: int
    """Of these, with a valid image."""
    rows: int
    """In valid images."""
    bytes: int
    """Of the files."""
    segments: int
    stale: int
    """Segments that hold something which no good replica is behind."""
    left_out: dict[str, str]
    """Columns that are not in all of them, and why."""


class ColumnImagesOutput(Output):
    """``columns build``, ``columns drop`` and ``columns status``; what was made and removed is 0 of the last."""

    database: str
    tables: list[TableImagesOutput]
    made: int
    """Images of chunk tables that were written now."""
    rows: int
    bytes: int
    """Of the files written now."""
    removed: int
    """Segments that were removed."""
    faults: dict[str, str]
    """By node and table or file: why it has no image, or is damaged."""
    unread: dict[str, str]
    """Nodes that did not answer, and why."""
    elapsed_s: float
