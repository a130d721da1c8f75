"""What ``--json`` prints is described: every command has a model, and what releases printed validates."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from tests.support.frozen import FROZEN, RELEASES

from skyshard.bench.compare.comparison import Comparison
from skyshard.bench.compare.door_costs import DoorCosts
from skyshard.bench.compare.sweep import Sweep
from skyshard.bench.compare.trend import Trend
from skyshard.bench.experiment.experiment_result import ExperimentResult
from skyshard.bench.model.projection import Projection
from skyshard.bench.record.latency_stats import TrialSummary
from skyshard.cli.command_table import COMMANDS
from skyshard.cli.terminal.json_outputs import OUTPUTS, output_schema, validate_output

BENCH: dict[str, type[BaseModel]] = {
    "compare": Comparison, "doors": DoorCosts, "experiment": ExperimentResult, "project": Projection,
    "run": TrialSummary, "sweep": Sweep, "trend": Trend,
}  # fmt: skip
FILES = [path for release in RELEASES for path in sorted((FROZEN / release / "json").glob("*.json"))]


def command_of(path: Path) -> str:
    """The command that a frozen file is of: the longest one that its name begins with."""
    words = path.stem.replace("-", " ")
    return max((name for name in OUTPUTS if words.startswith(name)), key=len)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name} {path.stem}")
def test_what_a_release_printed_is_described(path: Path) -> None:
    """No key of an earlier release is missing, renamed or of another type."""
    if path.stem.startswith("bench-"):
        assert BENCH[path.stem.split("-")[1]].model_validate_json(path.read_text())
    else:
        validate_output(command_of(path), path.read_text())


def test_a_key_that_is_not_described_is_found() -> None:
    """The models are strict: a new key has to be written down."""
    with pytest.raises(ValidationError, match="speed"):
        validate_output("submit", '{"query": 1, "speed": 2}')


@pytest.mark.parametrize("command", OUTPUTS)
def test_a_schema_is_plain_json(command: str) -> None:
    """So that programs in other languages can use it."""
    assert json.loads(json.dumps(output_schema(command)))


def has_json(target: str) -> bool:
    """True for a command with the option ``--json``."""
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(f"skyshard.cli.commands.{module}"), name)
    return "--json" in str(inspect.signature(function, eval_str=False)) or any(
        "JsonOption" in str(hint) for hint in function.__annotations__.values()
    )


def test_every_command_with_json_is_described() -> None:
    """A new command writes down what it prints."""
    found = {row.path for row in COMMANDS if has_json(row.target)} | {"transactions", "jobs"}
    described = set(OUTPUTS) - {"query", "result"} | {f"bench {name}" for name in BENCH}
    assert found == described
