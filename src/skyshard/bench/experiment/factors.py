"""What can be a factor, and which levels each one takes. No I/O.

A factor is one of a list, or ``set.NAME``: a server setting of all nodes; ``set.czar:NAME`` and ``set.node2:NAME`` are
of one server. Settings are checked by the server itself before anything is made (``scenarios``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from skyshard.basics.near_names import did_you_mean, near_names
from skyshard.basics.plain_numbers import plain_number
from skyshard.basics.scan_way import SCAN_WAYS
from skyshard.bench.experiment.experiment_file import Level, ReadExperiment
from skyshard.catalog.layout import Layout
from skyshard.catalog.strict_files import KeyPath

Value = str | int | float
"""A level as cells hold it."""
ENGINES: tuple[str, ...] = get_args(Layout.model_fields["engine"].annotation)
DEFAULT_ENGINE = str(Layout.model_fields["engine"].default)
"""Of a layout that names none."""
LOADERS = ("image", "load-data")
SHRINKS = ("coverage", "thinning")
TARGETS = ("czar", "mysql", "tap", "qserv")
"""The czar within the process that asks, and the front doors."""
STORES = ("sqlite", "mariadb", "postgresql", "cluster")
"""Backends of visits: a file, one server, another, the nodes of a cluster."""
UPSERTS = ("replace", "delete-insert", "on-duplicate")
PIXELS = ("chunks", "mq3c-10", "mq3c-11", "htm-20", "q3c")
COLUMNS = ("all", "needed")
MOST_NODES = 999
MOST_SCAN_THREADS = 64
MOST_LETTERS = 1000
"""Of the path of a file."""
MOST_SHOWN = 60
SETTING = re.compile(r"set\.(?:(?P<server>czar|node[1-9]\d{0,2}):)?(?P<name>[A-Za-z][A-Za-z0-9_-]*)")
_EXPONENT = re.compile(r"\d+[eE][+-]?\d+")
"""A number such as 1e-6, which is one to people and a text to YAML."""
_SIZE = re.compile(r"(\d+)([kmgtpe]?)", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}
OWNERS = {"key_buffer": "MyISAM", "key_cache": "MyISAM", "myisam": "MyISAM", "innodb": "InnoDB", "rocksdb": "MyRocks"}
"""Beginnings of settings that only one engine follows."""


class WrongLevel(ValueError):
    """A level that a factor does not take: what is wrong; ``remedy``."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Factor:
    """A kind of factor: its name and how a level is read."""

    name: str
    what: str
    read: Callable[[Level], Value]
    """Raises WrongLevel."""


def _word_of(words: tuple[str, ...]) -> Callable[[Level], Value]:
    def read(level: Level) -> Value:
        if level in words and isinstance(level, str):
            return level
        near = near_names(str(level), words)
        raise WrongLevel(f"'{_shown(level)}' is not one of {', '.join(words)}", f"write {(near or words)[0]}")

    return read


_TRUTHS = "yes, no, on and off"


def _shown(level: Level) -> str:
    """A level within one line."""
    text = str(level)
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _whole(least: int, most: int) -> Callable[[Level], Value]:
    def read(level: Level) -> Value:
        if isinstance(level, int) and not isinstance(level, bool) and least <= level <= most:
            return level
        raise WrongLevel(
            f"'{_shown(level)}' is not a whole number from {least} to {most}", "write such a number, unquoted"
        )

    return read


def _share(level: Level) -> Value:
    if isinstance(level, str) and _EXPONENT.fullmatch(level):
        level = float(level)
    if isinstance(level, int | float) and not isinstance(level, bool) and 0 < level <= 1:
        return float(level)
    raise WrongLevel(f"'{_shown(level)}' is not a share above 0 and up to 1", "write a number such as 0.5, unquoted")


def _text(level: Level) -> Value:
    if isinstance(level, str) and level.strip() and level.isprintable() and len(level) <= MOST_LETTERS:
        return level
    if isinstance(level, bool):
        raise WrongLevel(f"'{level}' is a truth value, as YAML reads {_TRUTHS}", "put the name in quotes")
    raise WrongLevel(f"'{_shown(level)}' is not a name or a file", "write the name of a shipped one, or a path")


def _setting_value(level: Level) -> Value:
    """A value as an option of the server has it; YAML reads ON and OFF as truth values."""
    if isinstance(level, bool):
        return "ON" if level else "OFF"
    text = str(level).strip()
    if not text or not text.isprintable():
        raise WrongLevel(f"'{_shown(level)}' is not the value of a setting", "write a size, a number or a word")
    return text


FACTORS = {
    one.name: one
    for one in (
        Factor("engine", "the storage engine of the chunk tables", _word_of(ENGINES)),
        Factor("layout", "a layout file, or a shipped one", _text),
        Factor("nodes", "the number of nodes", _whole(1, MOST_NODES)),
        Factor("replicas", "copies of each chunk", _whole(1, MOST_NODES)),
        Factor("recipe", "the sky: a recipe file, or a shipped one", _text),
        Factor("fraction", "the share of the recipe's sky", _share),
        Factor("shrink", "how a fraction is taken", _word_of(SHRINKS)),
        Factor("loader", "how rows become tables", _word_of(LOADERS)),
        Factor("scan", "how scans are answered: as rows, from column images, or as is best", _word_of(SCAN_WAYS)),
        Factor("scan_threads", "threads of each node's scan lane", _whole(1, MOST_SCAN_THREADS)),
        Factor(
            "target",
            "whom queries are sent to: the czar, or a front door before it; or whom visits are, a store",
            _word_of(TARGETS + STORES),
        ),
        Factor("upsert", "how a store of visits replaces the newest version of an object", _word_of(UPSERTS)),
        Factor("pixels", "by which pieces of the sky a store of visits clusters its rows", _word_of(PIXELS)),
        Factor("columns", "which columns of the history visits read", _word_of(COLUMNS)),
        Factor("workload", "a workload file, or a shipped one", _text),
        Factor("scenario", "what fails meanwhile: none, a scenario file, or a shipped one", _text),
    )
}
SETTINGS = Factor("set.NAME", "a server setting of all nodes, of the czar (set.czar:NAME) or of a node", _setting_value)


VISIT_FACTORS = ("target", "engine", "upsert", "pixels", "columns", "nodes", "workload", "recipe")
"""Those that an experiment of visits may have."""
OF_VISITS_ONLY = ("upsert", "pixels", "columns")
NEEDED = ("workload", "recipe")
"""What experiments of queries cannot do without."""


def read_levels(
    read: ReadExperiment, needed: Sequence[str] = NEEDED
) -> tuple[dict[str, list[Value]], dict[str, dict[str, Value]], dict[str, Value]]:
    """The factors, the named cells and what is held, with levels as cells hold them.

    Raises:
        UserError: an unknown factor, a level that it does not take, or one that is given twice.
    """
    file = read.file
    factors = {name: _levels(read, name, levels) for name, levels in file.factors.items()}
    cells = {
        cell: {name: _level(read, name, value, ["cells", cell, name]) for name, value in levels.items()}
        for cell, levels in file.cells.items()
    }
    held = {name: _level(read, name, value, ["hold", name]) for name, value in file.hold.items()}
    for name in ("workload", "recipe"):
        if given := getattr(file, name):
            if name in held:
                raise read.fault(["hold", name], f"'{name}' stands at the top, too", "drop one of the two")
            held[name] = _level(read, name, given, [name])
    _refuse_doubled(read, factors, cells, held)
    _refuse_missing(read, factors, cells, held, needed)
    return factors, cells, held


def _levels(read: ReadExperiment, name: str, levels: list[Level]) -> list[Value]:
    place: KeyPath = ["factors", name]
    values = [_level(read, name, level, [*place, number]) for number, level in enumerate(levels)]
    if len(values) < 2:
        _factor(read, name, place)
        what = f"factor '{name}' has {'one level' if values else 'no levels'}"
        raise read.fault(place, what, f"give two or more, or put it under 'hold': {name}")
    for number, value in enumerate(values):
        first = [identity(other) for other in values].index(identity(value))
        if first < number:
            raise read.fault([*place, number], f"level '{value}' of '{name}' is given twice", "drop one of them")
    return values


def _level(read: ReadExperiment, name: str, level: Level, place: KeyPath) -> Value:
    try:
        return _factor(read, name, place).read(level)
    except WrongLevel as error:
        raise read.fault(place, f"level of factor '{name}': {error}", error.remedy) from None


def _factor(read: ReadExperiment, name: str, place: KeyPath) -> Factor:
    if name in FACTORS:
        return FACTORS[name]
    if SETTING.fullmatch(name):
        return SETTINGS
    where = list(place[: list(place).index(name) + 1])
    if name.startswith("set.mono:"):
        what = f"'{name}' is of the unsharded server, which checks answers: no query is timed there"
        raise read.fault(where, what, "set it of nodes or of the czar: set.NAME, set.node2:NAME, set.czar:NAME")
    if name.startswith("set."):
        remedy = "write set.NAME, set.czar:NAME or set.node2:NAME, with the name of a server setting"
        raise read.fault(where, f"there is no factor '{name}'", remedy)
    near = near_names(name, FACTORS, 2)
    near += [f"set.{name}"] if "_" in name else []
    remedy = did_you_mean(near, f"factors are {', '.join(FACTORS)} and set.NAME")
    raise read.fault(where, f"there is no factor '{name}'", remedy)


def identity(value: Value) -> object:
    """What makes two levels the same: 8M is 8388608, on is ON, 2 is 2.0.

    >>> identity("8M") == identity("8388608"), identity("on") == identity("ON"), identity("8M") == identity("9M")
    (True, True, False)
    """
    text = str(value).strip().lower()
    if match := _SIZE.fullmatch(text):
        return float(int(match[1]) << _UNITS[match[2].lower()])
    try:
        return plain_number(text)
    except ValueError:
        return text


def _refuse_doubled(
    read: ReadExperiment,
    factors: Mapping[str, object],
    cells: Mapping[str, Mapping[str, object]],
    held: Mapping[str, object],
) -> None:
    """One thing is decided in one place only."""
    varied = [*factors, *dict.fromkeys(name for levels in cells.values() for name in levels)]
    for name in varied:
        place: KeyPath = ["factors", name] if factors else _cell_place(cells, name)
        if name in held:
            raise read.fault(place, f"'{name}' is a factor, and held at '{held[name]}'", "drop one of the two")
        match = SETTING.fullmatch(name)
        plain = f"set.{match['name']}" if match and match["server"] else ""
        if plain and not name.startswith("set.czar:") and plain in {*varied, *held}:
            remedy = "give the setting of all nodes, or each node's own"
            raise read.fault(place, f"'{name}' and '{plain}' both decide the setting of one node", remedy)


def _refuse_missing(
    read: ReadExperiment,
    factors: Mapping[str, object],
    cells: Mapping[str, Mapping[str, object]],
    held: Mapping[str, object],
    needed: Sequence[str],
) -> None:
    for name in needed:
        everywhere = name in factors or (bool(cells) and all(name in levels for levels in cells.values()))
        if name not in held and not everywhere:
            raise read.fault([name], f"there is no {name}", f"add '{name}: quick'" if name == "workload" else "add one")


def _cell_place(cells: Mapping[str, Mapping[str, object]], name: str) -> KeyPath:
    return next(["cells", cell, name] for cell, levels in cells.items() if name in levels)


def owner_of(setting: str) -> str:
    """The engine that alone follows a setting; empty where several do.

    >>> owner_of("key_buffer_size"), owner_of("sort_buffer_size")
    ('MyISAM', '')
    """
    return next((engine for start, engine in OWNERS.items() if setting.lower().startswith(start)), "")
