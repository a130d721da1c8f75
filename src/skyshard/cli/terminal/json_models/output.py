"""The base of all models of what commands print, and shapes that several commands share. No I/O."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel


class Output(BaseModel):
    """A JSON object; keys that are not described here are an error in tests."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Counts(RootModel[dict[str, int]]):
    """``index rebuild``: keys by director. ``mono load``: rows by table."""


class RowsOutput(Output):
    """``query`` and ``result`` with ``--format json``."""

    columns: list[str]
    rows: list[list[Any]]


class ProgressOutput(Output):
    """A line on standard error while a command with ``--json`` works."""

    stage: str
    done: int
    total: int
    rows: int
    bytes: int
    elapsed_s: float
    eta_s: float | None
