"""Calls about polygons of a column become conditions: where the index is read by, what is refused."""

from __future__ import annotations

import pytest
from tests.support.obscore_catalog import Source
from tests.support.planned import bound_of

from skyshard.basics.errors import Refusal, UserError
from skyshard.czar.bind.stored_regions import region_texts
from skyshard.czar.sql.dialect import render

SOURCE = Source()
POINT = "scisql_s2PtInCPoly(10, -2, s_region)"


def text_of(where: str, source: str = "ObsCore") -> str:
    return render(bound_of(f"SELECT 1 FROM {source} WHERE {where}", SOURCE).tree)


@pytest.mark.parametrize("where", [POINT, f"{POINT} = 1", f"1 = {POINT}", f"({POINT}) = 1", f"ra > 3 AND {POINT} = 1"])
def test_whole_term_is_read_by_the_index(where: str) -> None:
    """The bounds stand beside the exact condition as terms of their own, which is what the index needs."""
    text = text_of(where)
    assert text.count("MBRCONTAINS") == 1
    assert "IFNULL" not in text
    assert text.count(">= 0") == 4


@pytest.mark.parametrize("where", [f"{POINT} = 0", f"NOT {POINT}", f"{POINT} = 1 OR ra > 3", f"{POINT} + 0 = 1"])
def test_call_within_a_term_gives_zero_or_one(where: str) -> None:
    """NULL, of a NULL argument, becomes 0."""
    assert "IFNULL((" in text_of(where)


@pytest.mark.parametrize(
    ("own", "count"),
    [
        ("MBRWITHIN(POINT(10, -2), s_region_bounds)", 0),
        ("MBRWITHIN(POINT(10, -2), o.s_region_bounds) = 1", 0),
        ("MBRWITHIN(POINT(10, -2), p.s_region_bounds)", 1),
    ],
)
def test_statements_own_condition_on_the_bounds_is_the_only_one(own: str, count: int) -> None:
    """A second one of the same table would keep the server from the index; one of another table is none of ours."""
    source = "ObsCore o, ObsCore p" if "p." in own else "ObsCore o"
    assert (
        text_of(
            f"{own} AND scisql_s2PtInCPoly(10, -2, o.s_region)".replace("(10, -2), s_", "(10, -2), o.s_"), source
        ).count("MBRCONTAINS")
        == count
    )


def test_table_without_bounds_is_compared_exactly() -> None:
    """And its columns are named as it spells them, of the table that the alias says."""
    text = text_of("skyshard_regionInCircle(10, -2, 3, a.area) = 1", "Plain a, Plain b")
    assert "MBR" not in text
    assert "Area_n3z" in text
    assert "`a`" in text or "a." in text
    assert "b.`Area" not in text


def test_condition_of_a_join_becomes_terms_of_its_on() -> None:
    """Points of one table in polygons of another."""
    sql = "SELECT 1 FROM Plain p JOIN ObsCore o ON scisql_s2PtInCPoly(p.n, p.n, o.s_region) = 1"
    bound = bound_of(sql, SOURCE)
    assert render(bound.tree).count("MBRCONTAINS") == 1
    assert any("MBRCONTAINS" in render(term) for block in bound.blocks for join in block.joins for term in join.terms)


@pytest.mark.parametrize(
    ("where", "kind", "said"),
    [
        ("scisql_s2PtInCPoly(1, 2, obs_id)", Refusal, "'obs_id' holds no polygons"),
        ("scisql_s2PtInCPoly(1, 2, s_region_bounds)", Refusal, "holds no polygons"),
        ("skyshard_circleMeetsRegion(1, 2, 3, 'POLYGON')", Refusal, "holds no polygons"),
        ("skyshard_CircleTouchesRegion(1, 2, 3, s_region)", Refusal, "no function skyshard_CircleTouchesRegion"),
        ("skyshard_circleMeetsRegion(1, 2, s_region)", UserError, "takes 4 arguments, not 3"),
        ("skyshard_circleMeetsRegion(1, 2, 90, s_region)", UserError, "radius 90 is not"),
        ("skyshard_circleMeetsRegion(ra, 2, -1, s_region)", UserError, "radius -1 is not"),
        ("scisql_s2PtInCPoly(1, -90.5, s_region)", UserError, "declination"),
    ],
)
def test_what_cannot_be_compared_is_refused(where: str, kind: type[Exception], said: str) -> None:
    """Each with its reason."""
    with pytest.raises(kind, match=said):
        text_of(f"{where} = 1")


def test_polygons_of_too_many_edges_are_refused() -> None:
    """Sixteen are compared."""
    with pytest.raises(Refusal, match="polygons of 17 edges"):
        text_of("scisql_s2PtInCPoly(1, 2, r) = 1", "Many")


def test_numbers_decide_the_parts_of_their_kind() -> None:
    """Right ascensions are reduced; a circle over 0 has a box all round."""
    assert region_texts([370, 0])["ra"] == region_texts([10, 0])["ra"]
    assert {"west": "0.0", "east": "360.0"}.items() <= {
        name: str(float(text.strip("()"))) for name, text in region_texts([0.5, 0, 1]).items()
    }.items()
    with pytest.raises(UserError):
        region_texts([1, 91])
