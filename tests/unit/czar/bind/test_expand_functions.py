"""Astronomical functions become native expressions that give the same values, and areas are remembered."""

from __future__ import annotations

import math

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn
from tests.support.four_chunks import Source
from tests.support.planned import bound_of

from skyshard.basics.errors import Refusal, UserError
from skyshard.chunking.sphere import Circle, ang_sep
from skyshard.czar.bind.constants import constant, exact_constant
from skyshard.czar.sql.dialect import parse_expression, render

SOURCE = Source()
positions = st.tuples(st.floats(0, 360), st.floats(-90, 90))


def value(call: str) -> object:
    """What the native expression of a call gives in another engine."""
    text = render(bound_of(f"SELECT {call}", SOURCE).tree)
    ((found,),) = duckdb.execute(text).fetchall()
    return found


def areas(sql: str) -> list[tuple[int, object]]:
    return [(area.reference, area.region) for area in bound_of(sql, SOURCE).areas]


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ("scisql_nanojanskyToAbMag(3631e9)", 0.0),
        ("SCISQL_nanojanskyToAbMag(1.0)", 31.4),
        ("scisql_abMagToNanojansky(31.4)", 1.0),
        ("scisql_abMagToNanojansky(scisql_nanojanskyToAbMag(7.5))", 7.5),
        ("scisql_fluxToAbMag(scisql_abMagToFlux(21.5))", 21.5),
        ("scisql_nanojanskyToAbMagSigma(10.0, 1.0)", 0.25 / math.log(10)),
        ("scisql_fluxToAbMagSigma(10e0, 1e0)", 0.25 / math.log(10)),
        ("scisql_abMagToNanojanskySigma(31.4, 0.1)", 0.04 * math.log(10)),
        ("scisql_abMagToFluxSigma(-48.6, 0.1)", 0.04 * math.log(10)),
    ],
)
def test_magnitudes_and_fluxes_are_those_of_their_definitions(call: str, wanted: float) -> None:
    """m = -2.5 log10(flux / nJy) + 31.4, and its errors by the derivative."""
    assert value(call) == pytest.approx(wanted, abs=2e-4)


def test_an_error_of_no_flux_is_null() -> None:
    """As sciSQL has it for a flux that is not above zero."""
    assert value("scisql_nanojanskyToAbMagSigma(-1.0, 1.0)") is None


@settings(max_examples=drawn(10))
@given(positions, positions)
def test_separations_are_those_of_the_sphere(one: tuple[float, float], other: tuple[float, float]) -> None:
    """The haversine formula, anywhere, within what a double can tell."""
    found = value(f"scisql_angSep({one[0]!r}, {one[1]!r}, {other[0]!r}, {other[1]!r})")
    assert found == pytest.approx(float(ang_sep(*one, *other)), abs=1e-6)


def test_an_area_applies_to_every_table_with_a_position() -> None:
    """To a director and a dependent that carries its position; a dependent that is tied to it by key is covered."""
    circle = Circle(1.0, 2.0, 3.0)
    where = "WHERE qserv_areaspec_circle(1, 2, 3)"
    assert areas(f"SELECT 1 FROM Object {where}") == [(0, circle)]
    assert areas(f"SELECT 1 FROM Object o, Source s {where} AND o.objectId = s.objectId") == [(0, circle), (1, circle)]
    assert areas(f"SELECT 1 FROM Object o, Note n {where} AND o.objectId = n.objectId") == [(0, circle)]
    joined = "Object o LEFT JOIN Source s ON o.objectId = s.objectId"
    assert areas(f"SELECT 1 FROM {joined} {where}") == [(0, circle)]


@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("Object WHERE scisql_foo(ra) = 1", "function", "there is no function scisql_foo() (line 1, column 28)"),
        ("Object WHERE qserv_areaspec_blob(1, 2, 3)", "areaspec-unknown", "there is no function qserv_areaspec_blob()"),
        ("Object WHERE qserv_areaspec_circle(1, 2, mag)", "area-arguments", "qserv_areaspec_circle() takes numbers"),
        ("Filter WHERE qserv_areaspec_circle(1, 2, 3)", "areaspec-table", "needs a chunked table in the same FROM"),
        (
            "Note WHERE qserv_areaspec_circle(1, 2, 3)",
            "areaspec-table",
            "'Note' has no position columns",
        ),
        (
            "Object o, Note n WHERE qserv_areaspec_circle(1, 2, 3)",
            "areaspec-table",
            "'n' has no position columns",
        ),
    ],
)
def test_functions_that_cannot_be_applied_are_refused(sql: str, code: str, words: str) -> None:
    """With a code, the place and a remedy."""
    with pytest.raises(Refusal) as caught:
        bound_of(f"SELECT 1 FROM {sql}", SOURCE)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("scisql_angSep(1, 2, 3)", "scisql_angSep() takes 4 arguments, not 3 (line 1, column 8)"),
        ("qserv_areaspec_circle(1, 2)", "qserv_areaspec_circle() takes 3 arguments, not 2"),
        ("qserv_areaspec_circle(1, 92, 3)", "declination 92.0 is outside [-90, 90]"),
    ],
)
def test_wrong_arguments_are_the_users_mistake(call: str, words: str) -> None:
    """Count and range are checked, and named with the place."""
    with pytest.raises(UserError) as caught:
        bound_of(f"SELECT {call} FROM Object", SOURCE)
    assert words in str(caught.value)
    assert not isinstance(caught.value, Refusal)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("3", "3"), ("-(3.50)", "-3.50"), ("2 + 1.5 * 2", "5.0"), ("0.1 + 0.2", "0.3"), ("1e3", "1E+3"),
        ("'3'", None), ("1 / 2", None), ("ra", None), ("1e3 + 1", None), ("9999999999 + 1", None), ("NULL", None),
    ],
)  # fmt: skip
def test_constants_are_exact_or_none(text: str, wanted: str | None) -> None:
    """Sums and products of plain decimals, as MariaDB computes them; floats, texts and quotients are not folded."""
    found = exact_constant(parse_expression(text))
    assert (None if found is None else str(found)) == wanted
    assert constant(parse_expression(text)) == (None if wanted is None else float(wanted))
