"""What ``skyshard apdb`` and ``skyshard obscore`` print with ``--json``, as models. No I/O."""

from __future__ import annotations

from typing import Literal

from skyshard.cli.terminal.json_models.output import Output


class MutableSizeOutput(Output):
    """One table on one node."""

    table: str
    node: str
    rows: int
    bytes: int
    """Data and indexes, as the server says."""
    months: list[int]
    """Numbers of months, floor(MJD / 30); empty for a table that is not parted."""


class OddStoresOutput(Output):
    """Stores that did not come as a survey sends them, of one kind."""

    what: str
    """In words."""
    count: int
    named: list[str]
    """The first of them."""


class ApdbStatusOutput(Output):
    """``apdb create`` and ``apdb status``."""

    database: str
    engine: str
    upsert: str
    chunks: dict[str, int]
    """By node."""
    tables: list[MutableSizeOutput]
    stores: int
    """Stores that are whole."""
    unfinished: int
    """Stores that were begun and are not whole."""
    newest: float | None
    """Time of the newest store, MJD TAI."""
    published: int
    """Stores whose rows are published."""
    lag_s: float | None
    """From the newest published store to the newest one, in seconds of the survey; none before the first."""
    odd: list[OddStoresOutput]
    """Stores that came out of order, or whose clock went back."""
    later_changes: dict[str, int]
    """Rows that each action changed after they were published: the published copy has them as before."""


class PublishedChunkOutput(Output):
    """``apdb publish``: one chunk of ten minutes that was published now."""

    chunk: int
    """floor(MJD x 144)."""
    tiles: int
    rows: int
    lag_s: float
    """From the end of the chunk to the newest store, in seconds of the survey."""
    changed_later: int
    """Rows of all chunks that were changed after they had left: the published copy has them as before."""


class UpkeepOutput(Output):
    """``apdb upkeep``."""

    action: Literal[
        "scan-unassociated", "reassociate", "withdraw", "deduplicate", "prepare-month", "drop-month", "compact"
    ]
    rows: int
    """Read, changed or dropped."""
    elapsed_s: float


class ReleaseObservationsOutput(Output):
    """What one release gives to ObsCore."""

    database: str
    constants: str
    """The shipped file or path that the constants are of."""
    images: dict[str, int]
    """Rows by dataset type."""
    turned: int
    """Polygons that came clockwise and were turned round."""
    left_out: dict[str, int]
    """Rows that were left out, by reason."""


class ObsCoreOutput(Output):
    """``obscore``."""

    database: str
    releases: list[ReleaseObservationsOutput]
    edges: int
    """Normals that each polygon has."""
    transaction: int
    """0 where the same rows are published already, or nothing was to be done."""
    is_replaced: bool
    """It took the place of another table."""
    source: str
    """The mapping that was ingested; empty for a plan."""
    rows: int
