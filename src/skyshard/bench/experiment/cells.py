"""Cells: the combinations of levels that are tried, and whether each can be at all. No I/O."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from skyshard.bench.experiment.experiment_file import ReadExperiment
from skyshard.bench.experiment.factors import (
    NEEDED,
    OF_VISITS_ONLY,
    SETTING,
    STORES,
    TARGETS,
    VISIT_FACTORS,
    Value,
    identity,
    owner_of,
    read_levels,
)
from skyshard.bench.experiment.fractions import fraction_of
from skyshard.catalog.strict_files import KeyPath

CELL = "cell"
"""The only factor of an experiment whose cells are named."""
NO_SCENARIO = "none"
"""The level of the factor ``scenario`` at which nothing is made to fail."""
CZAR = "czar"
"""The level of the factor ``target`` at which no front door is between."""
CLUSTER = "cluster"
"""The level of the factor ``target`` at which visits go to the nodes of a cluster."""
CZAR_S_OWN = ("scan_threads", "scenario")
MOST_CELLS = 256
DEFAULTS: dict[str, Value] = {"nodes": 2, "fraction": 1.0, "shrink": "coverage"}
"""What cells have where the file says nothing; engine, layout and replicas are the recipe's or the layout's."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of levels."""

    number: int
    """From 1 on, in the order of the file."""
    levels: Mapping[str, Value]
    """By factor; of a named cell also what the cell alone sets."""
    held: Mapping[str, Value]
    name: str = ""

    @property
    def all(self) -> dict[str, Value]:
        """Every choice: defaults, what is held, and the levels."""
        return {**DEFAULTS, **self.held, **self.levels}

    @property
    def label(self) -> str:
        """For people: the cell's name, or its levels."""
        return self.name or levels_text(self.levels)

    @property
    def settings(self) -> tuple[str, ...]:
        """Its server settings as words: ``key_buffer_size=8M``, ``czar:sort_buffer_size=1M``; sorted."""
        return tuple(sorted(f"{name[4:]}={value}" for name, value in self.all.items() if name.startswith("set.")))


def levels_text(levels: Mapping[str, Value]) -> str:
    """All levels of a cell in a line."""
    return ", ".join(level_text(name, value) for name, value in levels.items())


def level_text(name: str, value: Value) -> str:
    """A level that says what it is of: ``2 nodes``, ``Aria``, ``key_buffer_size 8M``.

    >>> level_text("nodes", 1), level_text("engine", "Aria"), level_text("set.key_buffer_size", "8M")
    ('1 node', 'Aria', 'key_buffer_size 8M')
    >>> level_text("scan", "rows"), level_text("scan", "auto"), level_text("scan_threads", 2)
    ('scans as rows', 'scans as the czar chooses', '2 scan threads')
    """
    if name in ("nodes", "replicas", "scan_threads"):
        return f"{value} {name.removesuffix('s').replace('_', ' ')}{'' if value == 1 else 's'}"
    if name == "scenario" and value == NO_SCENARIO:
        return "no scenario"
    if name in ("engine", "scenario", CELL, "layout", "recipe", "workload", "target", "upsert", "pixels"):
        return str(value)
    if name == "columns":
        return f"{value} columns"
    if name == "scan":
        return {"rows": "scans as rows", "columns": "scans by columns"}.get(str(value), "scans as the czar chooses")
    return f"{name.removeprefix('set.')} {value}"


@dataclass(frozen=True, slots=True)
class Design:
    """The cells of an experiment, and what was left out of the full design."""

    factors: Mapping[str, Sequence[Value]]
    """Levels by factor; for named cells one factor, ``cell``."""
    cells: Sequence[Cell]
    kind: str
    """``full``, ``fractional`` or ``named``."""
    sentences: Sequence[str] = field(default_factory=tuple)
    """What the design cannot tell apart."""


def make_design(read: ReadExperiment, *, is_of_visits: bool = False) -> Design:
    """The cells of an experiment file, of queries or of visits.

    Raises:
        UserError: a factor or level is wrong, or a cell cannot be; with file, line, remedy.
    """
    factors, named, held = read_levels(read, ("workload",) if is_of_visits else NEEDED)
    if named:
        cells = [Cell(n, levels, held, name) for n, (name, levels) in enumerate(named.items(), 1)]
        _refuse_equal(read, cells)
        design = Design({CELL: [cell.name for cell in cells]}, cells, "named")
    else:
        chosen, sentences = _combinations(read, factors)
        cells = [Cell(n, dict(zip(factors, levels, strict=True)), held) for n, levels in enumerate(chosen, 1)]
        design = Design(factors, cells, read.file.design, sentences)
    _refuse_many(read, "cells" if named else "factors", len(cells))
    for cell in cells:
        if is_of_visits:
            _refuse_beside_visits(read, cell)
        else:
            _refuse_contradiction(read, cell)
    if not is_of_visits:
        _refuse_idle_shrink(read, cells)
    return design


def _combinations(
    read: ReadExperiment, factors: Mapping[str, Sequence[Value]]
) -> tuple[list[tuple[Value, ...]], Sequence[str]]:
    """The levels of each cell, which are counted before they are made; and what they cannot tell apart."""
    if read.file.design == "full":
        _refuse_many(read, "factors", prod(map(len, factors.values())))
        return list(itertools.product(*factors.values())), ()
    found = fraction_of(read, factors)
    everything = list(itertools.product(*factors.values()))
    return [everything[place] for place in found.places], found.sentences


def _refuse_many(read: ReadExperiment, key: str, count: int) -> None:
    if count > MOST_CELLS:
        remedy = f"drop levels, take 'design: fractional', or name {MOST_CELLS} of them at most under 'cells'"
        raise read.fault([key], f"{count if count < 10**9 else 'so many'} cells are more than {MOST_CELLS}", remedy)


_STORES_WITH = {
    "engine": ("mariadb", CLUSTER), "nodes": (CLUSTER,), "pixels": tuple(one for one in STORES if one != CLUSTER),
}  # fmt: skip
"""The stores that a factor is of: a cluster has the pieces of the sky of its layout."""
_OF_ALL_STORES = {"pixels": "chunks"}
"""A level of such a factor that the others have, too."""

_LEVELS_OF_STORES: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("pixels", "q3c", lambda target: target == "postgresql"),
    ("upsert", "replace", lambda target: target != "postgresql"),
    ("engine", "MyISAM", lambda _: False),
    ("engine", "Aria", lambda target: target == CLUSTER),
)
"""Factor, level, and whether visits can have it on a store: without transactions a killed store leaves half a tile, but
for a cluster's ledger."""


def _refuse_beside_visits(read: ReadExperiment, cell: Cell) -> None:
    """What is no choice of visits, or of the store that the cell has."""
    chosen = {**cell.held, **cell.levels}
    for name in chosen:
        if name not in VISIT_FACTORS:
            remedy = f"drop it; factors of visits are {', '.join(VISIT_FACTORS)}"
            raise read.fault(place_of(read, cell, name), f"'{name}' is no factor of visits", remedy)
    target = str(chosen.get("target", STORES[0]))
    if target not in STORES:
        what = f"target '{target}' stores no visits"
        raise read.fault(place_of(read, cell, "target"), what, f"name one of: {', '.join(STORES)}")
    for name, stores in _STORES_WITH.items():
        if name in chosen and target not in stores and chosen[name] != _OF_ALL_STORES.get(name):
            what = f"'{name}' contradicts target {target}: it is of target {' and '.join(stores)} only"
            raise read.fault(place_of(read, cell, name), what, "name the cells that can be under 'cells'")
    for name, level, can in _LEVELS_OF_STORES:
        if chosen.get(name) == level and not can(target):
            what = f"{name} {level} contradicts target {target}, which takes no such {name}"
            raise read.fault(place_of(read, cell, name), what, "name the cells that can be under 'cells'")


def _refuse_equal(read: ReadExperiment, cells: Sequence[Cell]) -> None:
    for first, second in itertools.combinations(cells, 2):
        if all(identity(first.all.get(n, "")) == identity(second.all.get(n, "")) for n in {*first.all, *second.all}):
            what = f"cells '{first.name}' and '{second.name}' are the same"
            raise read.fault(["cells", second.name], what, "change a level, or drop one of the two")


def place_of(read: ReadExperiment, cell: Cell, name: str) -> KeyPath:
    """Where the file says a cell's choice: a level, what is held, or a key at its top."""
    if name in read.file.factors:
        levels = [identity(str(level)) for level in read.file.factors[name]]
        found = identity(cell.levels.get(name, ""))
        return ["factors", name, levels.index(found)] if found in levels else ["factors", name]
    if cell.name and name in cell.levels:
        return ["cells", cell.name, name]
    return ["hold", name] if name in read.file.hold else [name]


def _refuse_beside_door(read: ReadExperiment, cell: Cell) -> None:
    """What is chosen of the czar within the process that asks, while a front door asks a czar of its own."""
    chosen = cell.all
    if chosen.get("target", CZAR) == CZAR:
        return
    for name in CZAR_S_OWN:
        if chosen.get(name, NO_SCENARIO) != NO_SCENARIO:
            what = f"'{name}' contradicts target {chosen['target']}: it is of target {CZAR} only"
            raise read.fault(place_of(read, cell, name), what, "name the cells that can be under 'cells'")


def _refuse_contradiction(read: ReadExperiment, cell: Cell) -> None:
    """Choices of one cell that exclude each other."""
    chosen = cell.all
    for name in OF_VISITS_ONLY:
        if name in chosen:
            raise read.fault(place_of(read, cell, name), f"'{name}' is a factor of visits only", "drop it")
    if chosen.get("target", CZAR) in STORES:
        what = f"target '{chosen['target']}' is a store of visits, and the workload has none"
        raise read.fault(place_of(read, cell, "target"), what, f"name one of: {', '.join(TARGETS)}")
    nodes, replicas = int(chosen["nodes"]), int(chosen.get("replicas", 1))
    remedy = "name the cells that can be under 'cells', or drop a level"
    _refuse_beside_door(read, cell)
    if replicas > nodes:
        name = "replicas" if "replicas" in {**cell.levels, **cell.held} else "nodes"
        what = f"{replicas} replicas contradict {nodes} {'node' if nodes == 1 else 'nodes'}: each copy needs a node"
        raise read.fault(place_of(read, cell, name), what, remedy)
    for name in chosen:
        match = SETTING.fullmatch(name)
        server = match["server"] if match else ""
        if server and server != "czar" and int(server.removeprefix("node")) > nodes:
            what = f"'{name}' contradicts nodes {nodes}: there is no {server}"
            raise read.fault(place_of(read, cell, name), what, remedy)


def _refuse_idle_shrink(read: ReadExperiment, cells: Sequence[Cell]) -> None:
    """Of a whole sky nothing is left out in either way, so that two cells would be one."""
    chosen = {cell.levels["shrink"] for cell in cells if "shrink" in cell.levels}
    if len(chosen) > 1 and all(cell.all["fraction"] == 1 for cell in cells):
        first = next(cell for cell in cells if "shrink" in cell.levels)
        place = ["factors", "shrink"] if "shrink" in read.file.factors else place_of(read, first, "shrink")
        raise read.fault(place, "'shrink' changes nothing at fraction 1", "add a fraction below 1, or drop it")


def refuse_idle_settings(read: ReadExperiment, cells: Sequence[Cell], engine_of: Mapping[int, str]) -> None:
    """A setting of an engine that no cell has would change nothing.

    Args:
        engine_of: by the number of the cell, whether the cell or its layout says so.
    """
    engines = set(engine_of.values())
    for cell in cells:
        for name in cell.all:
            match = SETTING.fullmatch(name)
            owner = owner_of(match["name"]) if match and match["server"] != "czar" else ""
            if owner and owner not in engines:
                what = f"'{name}' is a setting of {owner}, and the cells' engine is {', '.join(sorted(engines))}"
                raise read.fault(place_of(read, cell, name), what, f"add engine {owner}, or drop the setting")
