"""A pass: IN_UNIT(column, 'unit') becomes the column times a factor that is known when the query is planned. No I/O.

Rules: the unit of a column is what its table says; both units are those of VOUnits, or as FITS writes them. What is no
plain factor, as between magnitudes and fluxes, is refused. Source: ADQL 2.1, section 4.8.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.czar.adql.grammar import NOT_ADQL
from skyshard.czar.adql.output_columns import owner_of
from skyshard.czar.adql.table_names import Scopes, outwards
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.region_sql import double
from skyshard.czar.sql.statement import place

IN_UNIT = "IN_UNIT"
_FORMATS = ("vounit", "fits")


def translate_units(tree: exp.Query, scopes: Scopes) -> None:
    """Replace every IN_UNIT.

    Raises:
        Refusal: an argument that is no column of a known unit, a text that is no unit, or one that does not fit.
    """
    for call in [node for node in tree.find_all(exp.Anonymous) if node.name.upper() == IN_UNIT]:
        column, wanted = _arguments(call)
        factor = double(_factor(_unit_of(column, scopes), wanted, call))
        call.replace(exp.Paren(this=exp.Mul(this=column.copy(), expression=factor)))


def _arguments(call: exp.Anonymous) -> tuple[exp.Column, str]:
    found = call.expressions
    if len(found) == 2 and isinstance(found[1], exp.Literal) and found[1].is_string:
        column = found[0].unnest()
        if isinstance(column, exp.Column):
            return column, found[1].name
    raise Refusal(NOT_ADQL, f"{IN_UNIT}() takes a column and a unit{place(call)}", remedy="IN_UNIT(flux, 'mJy')")


def _unit_of(column: exp.Column, scopes: Scopes) -> str:
    for select in outwards(column):
        table, name = owner_of(column, scopes[id(select)])
        if table is None:
            continue
        if unit := table.unit(name):
            return unit
        break
    raise Refusal(
        NOT_ADQL, f"the unit of '{render(column)}' is not known{place(column)}",
        remedy="TAP_SCHEMA.columns says which columns have one",
    )  # fmt: skip


def _factor(given: str, wanted: str, call: exp.Anonymous) -> float:
    one, other = (_read(text, call) for text in (given, wanted))
    try:
        return float(one.to(other))
    except Exception:  # whatever the library says of units that differ in kind
        raise Refusal(
            NOT_ADQL, f"'{given}' is not converted to '{wanted}'{place(call)}", remedy="name a unit of the same kind"
        ) from None


def _read(text: str, call: exp.Anonymous) -> Any:
    import astropy.units as known  # takes half a second, and only IN_UNIT needs it

    for form in _FORMATS:
        try:
            found = known.Unit(text, format=form)
        except ValueError:
            continue
        if isinstance(found, known.UnitBase):
            return found
    raise Refusal(NOT_ADQL, f"'{text[:40]}' is no unit{place(call)}", remedy="write it as VOUnits does: mJy, mas/yr")
