"""Roles by columns: what production decided for its tables follows from their ids and positions."""

from __future__ import annotations

import pytest

from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.layout import Role
from skyshard.ingest.sources.inferred_mapping import kinds_of
from skyshard.ingest.sources.inferred_roles import ColumnKinds, InferredRole, infer_roles

D, F, R = Role.DIRECTOR, Role.DEPENDENT, Role.REGULAR
COORD, RADEC = ("coord_ra", "coord_dec"), ("ra", "dec")
PRODUCTION = {
    "dp1": {
        "Object": (D, "objectId", "", COORD), "Source": (D, "sourceId", "", COORD),
        "ForcedSource": (F, "objectId", "Object", None), "DiaObject": (D, "diaObjectId", "", RADEC),
        "DiaSource": (F, "diaObjectId", "DiaObject", COORD),
        "ForcedSourceOnDiaObject": (F, "diaObjectId", "DiaObject", None),
        **dict.fromkeys(("CoaddPatches", "Visit", "CcdVisit", "SSObject", "SSSource", "MPCORB"), (R, "", "", None)),
    },
    "hsc": {
        "Object": (D, "objectId", "", COORD), "Source": (D, "sourceId", "", COORD),
        "Visit": (R, "", "", None), "VisitDetector": (R, "", "", None),
    },
    "dp2": {
        "ShearObject": (D, "shearObjectId", "", RADEC),
        "IsolatedStarStellarMotions": (D, "isolated_star_id", "", RADEC),
        "DiaSource": (F, "diaObjectId", "DiaObject", RADEC), "DiaObject": (D, "diaObjectId", "", RADEC),
        "VisitDetector": (R, "", "", None),
    },
}  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("schema", PRODUCTION)
def test_roles_of_a_release_are_productions(schema: str) -> None:
    """Roles, keys, directors and positions as Qserv has them, from nothing but names and types of columns."""
    tables = {item.table.name: kinds_of(item.table) for item in read_schema(schema)}
    found = infer_roles({name: tables[name] for name in PRODUCTION[schema]}, {})
    assert {name: (r.role, r.key, r.director, r.position) for name, r in found.items()} == PRODUCTION[schema]


def kinds(*whole: str, floating: tuple[str, ...] = ()) -> ColumnKinds:
    return ColumnKinds(frozenset(whole), frozenset(floating))


def test_detections_without_director_are_their_own() -> None:
    """Nothing is there to follow, so the position decides."""
    found = infer_roles({"DiaSource": kinds("diaSourceId", "diaObjectId", floating=RADEC)}, {})
    assert (found["DiaSource"].role, found["DiaSource"].key) == (D, "diaSourceId")


def test_forced_photometry_without_director_is_placed_by_position() -> None:
    """It is far too long a table to be copied to every node."""
    found = infer_roles({"forced": kinds("objectId", "visit", floating=COORD)}, {})
    assert (found["forced"].role, found["forced"].key, found["forced"].position) == (D, "", COORD)


def test_table_with_an_id_alone_follows_its_director() -> None:
    """Photometric redshifts have no position of their own."""
    tables = {"PhotoZ": kinds("objectId"), "Object": kinds("objectId", floating=COORD)}
    found = infer_roles(tables, {})
    assert (found["PhotoZ"].role, found["PhotoZ"].director) == (F, "Object")


def test_given_roles_are_directors_for_the_others() -> None:
    """A director by the mapping, of a key that no rule knows, is followed by no one; one of a known key is."""
    given = InferredRole(D, "objectId", position=RADEC)
    found = infer_roles({"Stars": kinds(), "Light": kinds("objectId")}, {"Stars": given})
    assert found["Stars"] == given
    assert found["Light"].director == "Stars"


def test_id_of_text_or_position_of_whole_numbers_decides_nothing() -> None:
    """Keys are whole numbers and positions floats; anything else is an ordinary column."""
    found = infer_roles({"A": kinds("ra", "dec", "objectId"), "B": kinds(floating=(*RADEC, "objectId"))}, {})
    assert {role.role for role in found.values()} == {R}
