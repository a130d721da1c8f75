"""Experiment files as one strict model, in YAML or JSON; whatever is wrong is refused with file, line and remedy.

Reads only the given file. What a factor may be called and its levels are in ``factors``.
"""

from __future__ import annotations

import hashlib
import json
import os.path
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, StrictStr, model_validator

from skyshard.basics.errors import UserError
from skyshard.bench.workload.workload import Name
from skyshard.catalog.strict_files import (
    NamedKeys,
    ReadFile,
    broken_rule,
    parse_yaml,
    read_text,
    refuse_twice,
    validate_located,
)


def _is_level(content: object) -> object:
    """One fault for what is no level, instead of one for each kind of value that it is not."""
    if isinstance(content, str | int | float):  # a truth value is a whole number, too
        return content
    found = {"NoneType": "nothing", "list": "a list", "dict": "keys and values"}.get(type(content).__name__, "a date")
    raise broken_rule(f"it is {found}, a level is one word or number", remedy="write one, in quotes if need be")


_AnyFloat = Annotated[float, Field(strict=True, allow_inf_nan=True)]  # a factor says itself which numbers are levels
Level = Annotated[StrictStr | StrictInt | _AnyFloat | StrictBool, BeforeValidator(_is_level)]
"""A level as the file has it; ``factors`` makes it a text or a number."""
MOST_TRIALS = 1000
MOST_NAME = 64
"""Letters of a cell's name."""


def _is_cell_name(name: str) -> str:
    """A name for people: it names no file."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > MOST_NAME:
        what = f"a cell is named by 1 to {MOST_NAME} letters, without spaces around them"
        raise broken_rule(what, remedy="write a short name, in quotes if need be")
    return name


CellName = Annotated[str, AfterValidator(_is_cell_name)]
"""Of any alphabet."""


class ExperimentFile(NamedKeys):
    """An experiment: what is varied, what is held, and how often each cell is tried."""

    version: Literal[1]
    name: Name
    description: str = ""
    workload: StrictStr = ""
    """A shipped workload, or a file beside this one; may be a factor instead."""
    recipe: StrictStr = ""
    """A shipped recipe, or a file beside this one; may be a factor instead."""
    factors: dict[str, list[Level]] = Field(default_factory=dict)
    """Each factor's levels; the first is the one that others are compared with."""
    cells: dict[CellName, dict[str, Level]] = Field(default_factory=dict)
    """Instead of factors: named combinations of levels."""
    hold: dict[str, Level] = Field(default_factory=dict)
    """Factors that have one level in all cells."""
    design: Literal["full", "fractional"] = "full"
    """Every combination of levels, or a balanced part of them."""
    resolution: Literal[3, 4, 5] | None = None
    """Of a fractional design of factors with two levels: the shortest word of its defining relation, at least."""
    trials: Annotated[StrictInt, Field(ge=1, le=MOST_TRIALS)]
    """Of each cell: the number of blocks."""
    seed: Annotated[StrictInt, Field(ge=0)] = 1
    """Draws the order of the cells in each block."""
    leave_out: list[StrictStr] = Field(default_factory=list)
    """Classes, or class/template, that are not asked."""
    duration_s: Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)] | None = None
    """Seconds for every class that has a duration."""
    check_answers: StrictBool = False
    """Compare every answer with an unsharded server's, which takes its time and disk."""

    @model_validator(mode="after")
    def _has_factors_or_cells(self) -> ExperimentFile:
        if bool(self.factors) == bool(self.cells):
            which = "both 'factors' and 'cells'" if self.factors else "neither 'factors' nor 'cells'"
            raise broken_rule(f"it has {which}", ["cells"] if self.cells else ["factors"], "give one of the two")
        if self.cells and len(self.cells) < 2:
            raise broken_rule("a single cell is no experiment", ["cells"], "name two cells or more")
        if self.cells and self.design == "fractional":
            raise broken_rule("cells that are named have no fraction", ["design"], "drop it")
        if self.resolution and self.design != "fractional":
            raise broken_rule(
                "only a fractional design has one", ["resolution"], "add 'design: fractional', or drop it"
            )
        return self


@dataclass(frozen=True, slots=True)
class ReadExperiment(ReadFile):
    """An experiment file that was read."""

    file: ExperimentFile

    @property
    def digest(self) -> str:
        """Equal for files that say the same, whatever their comments and order."""
        content = self.file.model_dump(mode="json", exclude={"description"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def beside(self, name: str) -> str:
        """A file that the experiment names: beside it where there is one, else the name as it is."""
        found = self.path.parent / name
        return str(found) if os.path.isfile(found) else name  # False for a name that is too long


def read_experiment(path: Path) -> ReadExperiment:
    """Read and check an experiment file, without its factors.

    Raises:
        UserError: it cannot be read, is not YAML or JSON, or has a wrong key: file, line, key, remedy.
    """
    text = read_text(path, "text")
    content = _json_content(path, text) if path.suffix == ".json" else parse_yaml(text, f"'{path}'")
    known = text.replace("\t", " ") if path.suffix == ".json" else text
    refuse_twice(known, f"'{path}'")
    return ReadExperiment(path, known, validate_located(ExperimentFile, content, known, f"'{path}'"))


def _json_content(path: Path, text: str) -> object:
    """The content as plain values, by JSON's own rules."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"'{path}', line {error.lineno}: it is not JSON: {error.msg}", remedy="fix the file") from None
    except RecursionError:
        raise UserError(f"'{path}' is nested too deeply", remedy="fix the file") from None
    except ValueError as error:  # a number of thousands of digits
        raise UserError(f"'{path}': it is not JSON: {error}", remedy="fix the file") from None


def first_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first key whose value differs between two files' contents, with both values.

    >>> first_change({"trials": 3, "seed": 1}, {"trials": 4, "seed": 1})
    ('trials', 3, 4)
    """
    keys = dict.fromkeys([*old, *new])
    return next(((key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)), None)
