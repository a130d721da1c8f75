"""Workloads with the names of another schema, and inputs that are looked at before anything is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.own_workload import own_workload
from typer.testing import CliRunner

from skyshard.bench.workload.query_template import Has
from skyshard.bench.workload.workload import find_workload, read_workload
from skyshard.bench.workload.workload_fit import best_fit, fit, names_of, workload_templates
from skyshard.catalog.schema import Column, Table
from skyshard.cli.app import app
from skyshard.errors import UserError
from skyshard.progress import Progress
from skyshard.rowimage.sqltype import parse_type
from skyshard.scenarios.demo import MARK, run_demo
from skyshard.scenarios.sweep_run import SweepRun
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
    assert "left out: LV/light_curve: it does not claim schema 'hsc'" in found.sentences
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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workload": "qick"}, "there is no workload 'qick'"),
        ({"recipe": "tinny"}, "no recipe 'tinny'"),
        ({"recipe": "dr1"}, "GB with its copies"),
        ({"nodes": 0}, "a cluster of 0 nodes"),
        ({"out": "file"}, "cannot write"),
        ({"out": "file/below"}, "cannot write"),
        ({"out": "full"}, "holds something else"),
        ({"workload": "bad"}, "a.sql', line 5: division by zero"),
        ({"workload": "unclaimed"}, "makes nothing that workload 'w' could ask for"),
    ],
)
def test_the_demo_starts_nothing_with_a_wrong_input(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """One line, before there is a cluster, and an earlier demo's folder is as it was."""
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    old = tmp_path / "demo"
    old.mkdir()
    (old / MARK).touch()
    bodies = {"bad": "SELECT {{ id }}, {{ 1/0 }}", "unclaimed": "-- schemas: [kpm]\nSELECT {{ id }}"}
    files = {name: str(own_workload(tmp_path / name, body)) for name, body in bodies.items()}
    options: dict[str, Any] = {"recipe": "tiny", "workload": "quick", "nodes": 2} | {
        k: v for k, v in change.items() if k != "out"
    }
    options["workload"] = files.get(options["workload"], options["workload"])
    seen: list[Progress] = []
    with pytest.raises(UserError) as caught:
        run_demo(tmp_path / change["out"] if "out" in change else old, runtime="inline", watcher=seen.append, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert seen == []
    assert [path.name for path in old.iterdir()] == [MARK]
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": "nope"}, "no recipe 'nope'"),
        ({"recipe": "hsc"}, "makes no "),
        ({"fractions": (2.0,)}, "not in (0, 1]"),
        ({"fractions": (0.9,)}, "take fractions up to"),
        ({"fractions": ()}, "nothing to sweep"),
        ({"nodes": ()}, "nothing to sweep"),
        ({"nodes": (0,)}, "0 nodes are not possible"),
        ({"on_nodes": (-3,)}, "-3 nodes are not possible"),
        ({"out": "file"}, "cannot write"),
    ],
)
def test_a_sweep_starts_nothing_with_a_wrong_input(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """One line, and no folder."""
    (tmp_path / "file").touch()
    options = {"recipe": "tiny", "fractions": (1e-7,), "nodes": (1,), "on_nodes": (25,), "out": "out"} | change
    options["out"] = tmp_path / options["out"]
    seen: list[Progress] = []
    with pytest.raises(UserError) as caught:
        SweepRun(QUICK, read_workload(QUICK), **options).run(seen.append)
    assert words in str(caught.value)
    assert seen == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["qick"], "there is no workload"),
        (["quick", "--schema", "hsc"], "give --leave-out FTSFSrc,joinObjFSrc,joinObjSrc"),
        (["quick", "--schema", "nope"], "there is no schema 'nope'"),
        (["quick", "--leave-out", "nope"], "no class 'nope'"),
        (["quick", "--leave-out", "LV/nope"], "no template 'LV/nope'"),
        (["quick", "--out", "{file}"], "not an empty folder"),
        (["quick", "--out", "{file}/x"], "cannot write"),
    ],
)
def test_bench_run_looks_at_its_inputs_before_it_asks_for_a_cluster(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    """There is none here, and that is not what it says."""
    (tmp_path / "file").touch()
    arguments = [one.format(file=tmp_path / "file") for one in arguments]
    found = CliRunner().invoke(app, ["bench", "run", *arguments, "--cluster", str(tmp_path / "none")])
    assert words in str(found.exception)
    assert isinstance(found.exception, UserError)
