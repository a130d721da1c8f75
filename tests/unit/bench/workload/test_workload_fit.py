"""Workloads with the names of another schema, and inputs that are looked at before anything is started."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.workload.query_template import Has
from skyshard.bench.workload.workload import find_workload, read_workload
from skyshard.bench.workload.workload_fit import best_fit, fit, names_of, workload_templates
from skyshard.catalog.schema import Column, Table
from skyshard.rowimage.sqltype import parse_type
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.rows.generate import open_sky

pytestmark = pytest.mark.timeout(60)  # a Felis schema takes seconds to read

QUICK = find_workload("quick")


def has_of(recipe: str) -> Has:
    return names_of({name: spec.table for name, spec in open_sky(read_recipe(recipe)).specs.items()})


def test_templates_that_do_not_claim_a_schema_are_left_out_and_named() -> None:
    """quick with HSC's names: two of five low-volume templates go, four classes stay without a template of theirs."""
    found = fit(QUICK, read_workload(QUICK), "hsc")
    assert found.lost_classes == ["FTSFSrc", "joinObjFSrc", "joinObjSrc"]
    assert "left out: LV/light_curve: it is not written for schema 'hsc'" in found.sentences
    assert [load.class_name for load in found.workload.phases[1].classes] == ["LV", "FTSObj", "FTSSrc", "nearN"]
    assert found.workload.phases[0].classes[0].templates == ["object_by_id", "small_area", "cone"]
    assert set(found.templates) == set(found.workload.template_keys)


@pytest.mark.parametrize(("recipe", "schema"), [("tiny", "synth"), ("mini", "synth"), ("hsc", "hsc"), ("dp1", "dp1")])
def test_the_schema_of_a_recipe_is_found_by_its_names(recipe: str, schema: str) -> None:
    """And what it leaves of the workload asks for nothing that the recipe does not make."""
    has = has_of(recipe)
    found = best_fit(QUICK, read_workload(QUICK), has)
    assert found is not None
    assert found.workload.schema_name == schema
    assert all(not one.missing(has) for one in found.templates.values())


def test_names_that_a_catalog_lacks_are_named() -> None:
    """A table, or a column of it; letters of columns count as SQL counts them."""
    columns = tuple(Column(name, parse_type("DOUBLE"), True) for name in ("objectId", "RA", "decl"))
    has = names_of({"Object": Table("Object", columns)})
    templates = workload_templates(QUICK, read_workload(QUICK))
    assert templates["FTSObj/extent"].missing(has) == ""
    assert templates["FTSObj/flux_window_z"].missing(has) == "Object.g_psfFlux"
    assert templates["FTSSrc/count_flux"].missing(has).startswith("Source")


def test_single_templates_can_be_left_out() -> None:
    """By class/template, like a class; what is not there is named."""
    workload = read_workload(QUICK)
    left = workload.without(["LV/cone", "nearN"])
    assert left.phases[0].classes[0].templates == [
        "object_by_id",
        "small_area",
        "object_source_small_area",
        "light_curve",
    ]
    assert "nearN/count_pairs" not in left.template_keys
    with pytest.raises(UserError, match=r"no template 'LV/nope'; leave out some of: .*LV/cone"):
        workload.without(["LV/nope"])
