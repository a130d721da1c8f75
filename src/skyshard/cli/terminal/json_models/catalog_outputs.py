"""What ``skyshard schema``, ``synth`` and ``mapping`` print with ``--json``, as models. No I/O."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from skyshard.cli.terminal.json_models.output import Output


class SchemaOutput(Output):
    """A row of ``schema list``."""

    schema_: str
    tables: int
    columns: int

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"), extra="forbid", frozen=True)


class SchemaTableOutput(Output):
    """A row of ``schema show NAME``."""

    table: str
    columns: int
    bytes: int
    description: str


class SchemaColumnOutput(Output):
    """A row of ``schema show NAME.TABLE``."""

    name: str
    type: str
    is_nullable: bool
    unit: str
    ucd: str
    description: str


class SynthPlanOutput(Output):
    """What will be made; expected numbers are means."""

    recipe: str
    seed: int
    fraction: float
    shrink: str
    chunks: list[int]
    chunks_of_recipe: int
    expected_rows: dict[str, int]
    expected_rows_of_recipe: dict[str, int]
    expected_bytes: int
    expected_bytes_of_recipe: int
    profile: dict[str, Any] | None = None


class MadeOutput(Output):
    """What the folder holds."""

    folder: str
    rows: dict[str, int]
    bytes: dict[str, int]
    digests: dict[str, str]
    elapsed_s: float


class WeeklyOutput(Output):
    """One weekly's tree."""

    tree: str
    truth: str
    """The file with the truth about it."""
    name: str
    ticket: str
    runs: list[str]
    """RUN collections, oldest first."""
    rows: dict[str, int]
    """By dataset type; so the next two."""
    columns: dict[str, int]
    files: dict[str, int]
    redone_tract: int | None = None
    elapsed_s: float


class SynthOutput(Output):
    """``synth``."""

    plan: SynthPlanOutput | None = None
    """Null with ``--as``."""
    weekly: WeeklyOutput | None = None
    """With ``--as``."""
    made: MadeOutput | None = None
    preview: str | None = None
    dirty: dict[str, Any] | None = None
    profile: dict[str, Any] | None = None


class FirstMappingColumn(Output):
    """A column of a table that ``mapping`` found; unit and description are the nearest schema's."""

    name: str
    type: str
    is_nullable: bool
    unit: str
    description: str


class FirstMappingTable(Output):
    """A table that ``mapping`` found."""

    table: str
    role: str
    key: str
    director: str
    position: list[str]
    files: int
    rows: int
    like: str
    """The table of a shipped schema that is most like it, SCHEMA.TABLE; empty where none is."""
    described: int
    """Its columns that this schema describes."""
    notes: list[str]
    columns: list[FirstMappingColumn]


class LeftFile(Output):
    """A file that no table of a mapping has."""

    file: str
    why: str


class FirstMappingOutput(Output):
    """``mapping``."""

    database: str
    tables: list[FirstMappingTable]
    not_understood: list[LeftFile]
    text: str
    """The mapping file's."""
    written: str
    """The file; empty without ``--out``."""
