"""Conversions of many columns in a few lines."""

from __future__ import annotations

from skyshard.cli.terminal.folded_conversions import folded

BANDS = ("g", "r", "i", "z")


def test_columns_of_one_kind_are_one_line_with_their_values() -> None:
    """Columns and values are counted; three columns stand for all."""
    found = folded({f"{band}_mag: rounded to FLOAT": 10 for band in BANDS})
    assert found == ["rounded to FLOAT: 4 columns, 40 values, such as g_mag, r_mag, i_mag"]


def test_a_single_column_stands_as_it_is() -> None:
    """Nothing is gained by folding it."""
    assert folded({"ra: x 57.3": 5, "dec: -999 → NULL": 0}) == ["ra: x 57.3 (5 values)", "dec: -999 → NULL"]


def test_renamed_columns_are_one_kind_whatever_their_names() -> None:
    """What is done besides tells kinds apart."""
    plain = {f"{band}_psfFlux: from {band}PsFlux": 0 for band in BANDS}
    nulled = {f"{band}_mag: from {band}Mag, -99 → NULL": 0 for band in BANDS}
    assert folded(plain | nulled) == [
        "from a column of another name: 4 columns, such as g_psfFlux from gPsFlux, r_psfFlux from rPsFlux, "
        "i_psfFlux from iPsFlux",
        "from a column of another name, -99 → NULL: 4 columns, such as g_mag from gMag, r_mag from rMag, "
        "i_mag from iMag",
    ]


def test_expressions_are_one_kind() -> None:
    """As a plan and as a report spell them."""
    assert folded({"gr: = g - r": 0, "ri: = r - i": 0})[0].startswith("= an expression: 2 columns, such as gr = g - r")
    assert folded({"gr = g - r": 2, "ri = r - i": 2}) == [
        "= an expression: 2 columns, 4 values, such as gr = g - r, ri = r - i"
    ]


def test_what_names_no_column_stays() -> None:
    """Also where a colon is in it."""
    text = "480 input columns left out: a, b, c, d, e and 475 more"
    assert folded({text: 0, "rows of other chunks": 3}) == [text, "rows of other chunks (3 values)"]


def test_all_columns_are_listed_when_asked_for() -> None:
    """One line each."""
    assert len(folded({f"{band}_mag: rounded to FLOAT": 10 for band in BANDS}, is_whole=True)) == 4
