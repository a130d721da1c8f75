"""Set-ups: what a cell needs before a trial can run in it: a cluster of its own with a catalog.

Cells that differ only in what is chosen when servers start, or later, share a set-up. No I/O but the reading of
layouts and recipes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skyshard.bench.experiment.cells import Cell
from skyshard.bench.experiment.factors import DEFAULT_ENGINE
from skyshard.catalog.layout import Layout
from skyshard.catalog.synth_manifest import Shrink

AT_CREATION = (
    "innodb_page_size", "innodb_undo_tablespaces", "innodb_checksum_algorithm", "innodb_file_per_table",
    "innodb_default_row_format", "innodb_compression", "aria_block_size", "rocksdb_default_cf_options",
)  # fmt: skip
"""Settings that a data folder, or the tables in it, keep from the moment they are made; a set-up of its own."""
SERVER_BYTES = 130 << 20
"""An initialised server's folder, with its logs."""
GROWTH = {"MyISAM": 2.0}
OTHER_GROWTH = 5.0
"""How many times the bytes of all values a catalog takes on disk, staging included: a careful guess."""
SKY_GROWTH = 1.2
ORACLE_GROWTH = 2.0


@dataclass(frozen=True, slots=True)
class Sky:
    """A catalog's rows: a recipe and the share of it."""

    recipe: str
    fraction: float
    shrink: Shrink


@dataclass(frozen=True, slots=True)
class Setup:
    """A cluster and the catalog in it."""

    sky: Sky
    nodes: int
    replicas: int
    """0: as the layout has it."""
    engine: str
    """Empty: the layout's."""
    layout: str
    """Empty: the recipe's own."""
    loader: str
    settings: tuple[str, ...]
    """Those that hold from the creation of the servers on, as words."""
    has_images: bool = False
    """Whether some cell reads column images of it."""

    def estimated_bytes(self, values: int, layout: Layout | None, *, has_oracle: bool) -> int:
        """The space that it may take, for so many bytes of values; a layout may name engine and replicas."""
        engine = self.engine or (layout.engine if layout else DEFAULT_ENGINE)
        replicas = self.replicas or (layout.replicas if layout else 1)
        data = (GROWTH.get(engine, OTHER_GROWTH) + self.has_images) * replicas
        servers = self.nodes + (2 if has_oracle else 1)
        return int(values * (data + (ORACLE_GROWTH if has_oracle else 0)) + servers * SERVER_BYTES)


def setup_of(cell: Cell) -> Setup:
    """The set-up that a cell's trials need, whether column images belong to it or not."""
    chosen = cell.all
    sky = Sky(
        str(chosen["recipe"]), float(chosen["fraction"]), "thinning" if chosen["shrink"] == "thinning" else "coverage"
    )
    engine, layout, loader = (str(chosen.get(name, "")) for name in ("engine", "layout", "loader"))
    settings = tuple(word for word in cell.settings if is_at_creation(word))
    return Setup(sky, int(chosen["nodes"]), int(chosen.get("replicas", 0)), engine, layout, loader, settings)


def is_at_creation(word: str) -> bool:
    """Whether a setting, as ``[SERVER:]NAME=VALUE``, needs a new data folder.

    >>> is_at_creation("node1:innodb_page_size=8K"), is_at_creation("key_buffer_size=8M")
    (True, False)
    """
    return word.partition("=")[0].rpartition(":")[2].startswith(AT_CREATION)


def setups_of(cells: Sequence[Cell]) -> tuple[dict[int, Setup], dict[int, int]]:
    """The set-ups by number from 1 on, and each cell's set-up."""
    numbers: dict[Setup, int] = {}
    imaged = {setup_of(cell) for cell in cells if cell.all.get("scan", "rows") != "rows"}
    by_cell = {
        cell.number: numbers.setdefault(replace(setup, has_images=setup in imaged), len(numbers) + 1)
        for cell in cells
        for setup in (setup_of(cell),)
    }
    return {number: setup for setup, number in numbers.items()}, by_cell


def last_needed(there: Sequence[int], needed: Sequence[int]) -> int:
    """Of set-ups that are there, the one that is needed last, or not at all: the one to remove for another.

    >>> last_needed([1, 2, 3], [3, 2, 3, 1]), last_needed([1, 2, 3], [3, 1])
    (1, 2)
    """
    return max(there, key=lambda one: needed.index(one) if one in needed else len(needed))
