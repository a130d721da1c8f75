"""The LSDB form of a query template: the operation that LSDB, which has no SQL, runs instead of the statement.

A template's header may hold an operation under ``lsdb``: a table, the columns of the answer, and conditions, a match or
a join; or a sentence that says why there is none. ``LsdbForm.render`` inserts the names of the schema and the values of
the parameters; the result, an ``LsdbCall``, goes to the target as JSON. Angles are in degrees here, as in the SQL, and
in arcseconds in the call, as in LSDB. No I/O; LSDB is not needed here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from skyshard.basics.errors import Bug
from skyshard.bench.workload.parameters import PARTS, Parameter, ParameterValue
from skyshard.bench.workload.schema_names import CatalogSchema
from skyshard.catalog.strict_files import KeyPath, Strict, broken_rule

Word = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]


def _is_bound(value: float | str) -> float | str:
    is_fine = re.fullmatch(r"[A-Za-z_]\w*(\.\w+)?", value) if isinstance(value, str) else math.isfinite(value)
    if not is_fine:
        raise ValueError(f"'{value}' is neither a number nor a parameter")
    return value


NumberBound = Annotated[float | str, AfterValidator(_is_bound)]
"""A number, or the parameter that gives one: ``low``, ``flux.low``."""
_SIGNS = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<=", "above_column": ">"}
FORM = "lsdb"
"""Its key in a template's header."""


class Condition(Strict):
    """Bounds on a column; NULL fulfils none."""

    column: Word
    above: NumberBound | None = None
    at_least: NumberBound | None = None
    below: NumberBound | None = None
    at_most: NumberBound | None = None
    above_column: Word | None = None
    """Another column of the same row that must be less than this one."""

    @property
    def bounds(self) -> dict[str, NumberBound]:
        """The bounds that are given, by key."""
        found = {name: getattr(self, name) for name in _SIGNS}
        return {name: bound for name, bound in found.items() if bound is not None}

    @model_validator(mode="after")
    def _bounds_something(self) -> Condition:
        if not self.bounds:
            raise broken_rule("it bounds nothing", remedy=f"add one of: {', '.join(_SIGNS)}")
        return self


class MatchForm(Strict):
    """An inner cross-match: for each row found, all rows within a radius.

    An area of the form restricts these rows too, as ``qserv_areaspec_`` restricts every table of a FROM clause.
    """

    table: Word
    columns: list[Word]
    radius_deg: Annotated[float, Field(gt=0, le=1)]
    is_other: bool = False
    """True: a row is not its own neighbour."""


class JoinForm(Strict):
    """For each row found, the rows of a dependent table with its director key."""

    table: Word
    columns: list[Word]
    where: list[Condition] = Field(default_factory=list)


class LsdbForm(Strict):
    """One operation; the answer has the columns of ``table``, then those of ``match`` or ``join``, or is a count."""

    table: Word
    columns: list[Word] = Field(default_factory=list)
    id: Word | None = None
    """The parameter that names one row by the table's key: an index look-up."""
    cone: Word | None = None
    """The parameter that restricts positions to a circle."""
    box: Word | None = None
    where: list[Condition] = Field(default_factory=list)
    match: MatchForm | None = None
    join: JoinForm | None = None
    count: bool = False
    """True: the answer is the number of rows, and there are no columns."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> LsdbForm:
        other = self.match or self.join
        if self.count == bool([*self.columns, *(other.columns if other else [])]):
            raise broken_rule("give either columns or a count", ["columns"], "drop one")
        if self.match and self.join:
            raise broken_rule("match and join exclude each other", ["join"], "drop one")
        return self

    @property
    def parts(self) -> Iterator[tuple[str, str, KeyPath]]:
        """(Logical table, column, key in the header) of every column that is named."""
        placed: list[tuple[LsdbForm | MatchForm | JoinForm | None, list[str | int]]]
        placed = [(self, []), (self.match, ["match"]), (self.join, ["join"])]
        for part, place in placed:
            if part is None:
                continue
            yield from ((part.table, column, [*place, "columns"]) for column in part.columns)
            for number, one in enumerate([] if isinstance(part, MatchForm) else part.where):
                named = [one.column, *([one.above_column] if one.above_column else [])]
                yield from ((part.table, column, [*place, "where", number]) for column in named)

    @property
    def bounds(self) -> list[NumberBound]:
        conditions = [*self.where, *(self.join.where if self.join else [])]
        return [bound for one in conditions for key, bound in one.bounds.items() if key != "above_column"]

    def fault(self, parameters: Mapping[str, Parameter], schema: CatalogSchema) -> tuple[str, KeyPath] | None:
        """The first name that does not exist, and its place; None when all exist."""
        for kind in ("id", "cone", "box"):
            name = getattr(self, kind)
            if name and (name not in parameters or parameters[name].type != kind):
                return f"there is no parameter '{name}' of type {kind}", [kind]
        for bound in self.bounds:
            if isinstance(bound, str) and not _is_number(bound, parameters):
                return f"'{bound}' is no number of a parameter", ["where"]
        for table, column, place in self.parts:
            if column not in schema.values.get(table, {}):
                return f"schema '{schema.name}' has no {table}.{column}", place
        return None

    def render(self, values: Mapping[str, ParameterValue], schema: CatalogSchema) -> LsdbCall:
        """The call with the values of the parameters and the names of the schema."""
        cone = values[self.cone] if self.cone else None
        box = values[self.box] if self.box else None
        identifier = values[self.id] if self.id else None
        return LsdbCall(
            table=schema.table(self.table),
            key=schema.column(self.table, "id"),
            columns=_names(self.table, self.columns, schema),
            id=identifier if isinstance(identifier, int) else None,
            cone=(cone["ra"], cone["decl"], cone["radius_deg"] * 3600) if isinstance(cone, dict) else None,
            box=(box["ra_min"], box["ra_max"], box["decl_min"], box["decl_max"]) if isinstance(box, dict) else None,
            where=_text(self.table, self.where, values, schema),
            match=_match(self.match, schema) if self.match else None,
            join=_join(self.join, values, schema) if self.join else None,
            count=self.count,
        )


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MatchCall(_Plain):
    """``MatchForm`` with the names of a schema."""

    table: str
    key: str
    columns: list[str]
    radius_arcsec: float
    is_other: bool


class JoinCall(_Plain):
    """``JoinForm`` with the names of a schema; ``on`` holds the director's key in the dependent table."""

    table: str
    on: str
    columns: list[str]
    where: str


class LsdbCall(_Plain):
    """``LsdbForm`` with names and values."""

    table: str
    key: str
    columns: list[str]
    id: int | None
    cone: tuple[float, float, float] | None
    """ra and decl in degrees, radius in arcseconds."""
    box: tuple[float, float, float, float] | None
    """ra_min, ra_max, decl_min, decl_max in degrees."""
    where: str
    """A condition in the syntax of pandas; empty: none."""
    match: MatchCall | None
    join: JoinCall | None
    count: bool

    @property
    def counts_all(self) -> bool:
        """True when the answer is the number of all rows, which the catalog knows."""
        parts = (self.id, self.cone, self.box, self.match, self.join)
        return self.count and not self.where and all(part is None for part in parts)


def _is_number(bound: str, parameters: Mapping[str, Parameter]) -> bool:
    name, _, part = bound.partition(".")
    if name not in parameters:
        return False
    parts = PARTS.get(parameters[name].type, ())
    return part in parts if part else not parts


def _names(table: str, columns: list[str], schema: CatalogSchema) -> list[str]:
    return [schema.column(table, column) for column in columns]


def _match(match: MatchForm, schema: CatalogSchema) -> MatchCall:
    return MatchCall(
        table=schema.table(match.table),
        key=schema.column(match.table, "id"),
        columns=_names(match.table, match.columns, schema),
        radius_arcsec=match.radius_deg * 3600,
        is_other=match.is_other,
    )


def _join(join: JoinForm, values: Mapping[str, ParameterValue], schema: CatalogSchema) -> JoinCall:
    return JoinCall(
        table=schema.table(join.table),
        on=schema.column(join.table, "object"),
        columns=_names(join.table, join.columns, schema),
        where=_text(join.table, join.where, values, schema),
    )


def _text(table: str, where: list[Condition], values: Mapping[str, ParameterValue], schema: CatalogSchema) -> str:
    """Conditions in the syntax of pandas; names are checked, all else are numbers."""
    parts = []
    for one in where:
        column = schema.column(table, one.column)
        for key, bound in one.bounds.items():
            other = schema.column(table, str(bound)) if key == "above_column" else repr(_number(bound, values))
            parts.append(f"{column} {_SIGNS[key]} {other}")
    return " and ".join(parts)


def _number(bound: NumberBound, values: Mapping[str, ParameterValue]) -> float:
    if not isinstance(bound, str):
        return float(bound)
    name, _, part = bound.partition(".")
    value = values[name]
    number = value[part] if isinstance(value, dict) else value
    if isinstance(number, list):
        raise Bug(f"'{name}' is a list where a number is asked for")
    return float(number)
