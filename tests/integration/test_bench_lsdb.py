"""LSDB over HATS catalogs of the same Parquet files: its answers equal DuckDB's. Needs the extra ``lsdb``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.bench.check.compare_answers import compare_answers
from skyshard.bench.targets.duckdb_target import DuckDBTarget
from skyshard.bench.targets.lsdb_target import LsdbTarget, open_lsdb
from skyshard.bench.workload.lsdb_form import LsdbCall
from skyshard.bench.workload.query_template import read_templates
from skyshard.cli.app import app
from skyshard.host.shipped_data import data_folder
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.write_catalog import write_catalog

WORKLOAD = """
version: 1
name: both
description: Every template that has a form, and one that has none.
database: tiny
seed: 3
phases:
  - name: one
    classes:
      - class: lsdb
        templates: [id_lookup, cone_arcminute, cone_degree, all_sky_columns, cross_match, light_curves]
        count: 12
      - {class: LV, templates: [object_by_id, small_area, object_source_small_area, light_curve, cone], count: 10}
      - {class: FTSObj, templates: [count_bright_y, count_redder, flux_window_z, redder, small_sigma_u], count: 5}
      - {class: FTSSrc, templates: [count_flux], count: 1}
      - {class: joinObjFSrc, templates: [flux_window], count: 1}
      - {class: count, templates: [objects, sources, forced_sources], count: 3}
"""

needs_lsdb = pytest.mark.usefixtures("lsdb")


@pytest.fixture(scope="module")
def lsdb() -> None:
    pytest.importorskip("lsdb", reason="the extra skyshard[lsdb] is not installed", exc_type=ImportError)
    pytest.importorskip("hats_import", reason="the extra skyshard[lsdb] is not installed", exc_type=ImportError)


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thin sky moved to longitude 0, with NULL and NaN among its fluxes, in more than one partition."""
    folder = tmp_path_factory.mktemp("lsdb") / "sky"
    manifest = write_catalog(read_recipe("tiny"), folder, fraction=0.05)
    middle = float(np.median(pq.read_table(folder / "Object", columns=["ra"])["ra"].to_numpy()))
    for file in (file for name in ("Object", "Source") for file in manifest.tables[name].files):
        table = pq.read_table(folder / file.path)
        for name in {"ra", "raObject"} & set(table.column_names):
            moved = (table[name].to_numpy() - middle) % 360.0
            table = table.set_column(table.column_names.index(name), name, pa.array(moved))
        if "r_psfFlux" in table.column_names:
            flux = table["r_psfFlux"].to_pylist()
            flux[::5], flux[1::5] = [None] * len(flux[::5]), [float("nan")] * len(flux[1::5])
            place = table.column_names.index("r_psfFlux")
            table = table.set_column(place, "r_psfFlux", pa.array(flux, table.schema.field(place).type))
        pq.write_table(table, folder / file.path)
    return folder


@pytest.fixture(scope="module")
def target(lsdb: None, sky: Path) -> LsdbTarget:
    return open_lsdb(f"{sky}?partition_rows=1000")


@needs_lsdb
@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(1200)
def test_lsdb_and_duckdb_give_equal_answers(sky: Path, target: LsdbTarget, tmp_path: Path) -> None:
    """The same queries, across longitude 0, with NULL and NaN; what has no form is said."""
    file = tmp_path / "queries" / "workloads" / "both.yaml"
    file.parent.mkdir(parents=True)
    (tmp_path / "queries" / "sql").symlink_to(data_folder("queries", "sql"))
    file.write_text(WORKLOAD)
    asked = ["--target", f"lsdb:{sky}?partition_rows=1000", "--target", f"duckdb:{sky}"]
    result = CliRunner().invoke(app, ["bench", "run", str(file), "--out", str(tmp_path / "out"), *asked])
    assert result.exit_code == 0, result.output
    assert "not answered: LV/cone, 2 queries: the operations of a form neither sort nor limit" in result.output
    summary = json.loads((tmp_path / "out" / "lsdb" / "summary.json").read_text())
    assert [(one["template"], one["queries"]) for one in summary["not_answered"]] == [("LV/cone", 2)]
    assert summary["wrong_answers"] == []
    assert sum(one["unchecked"] for one in summary["classes"]) == 0
    manifest = json.loads((tmp_path / "out" / "lsdb" / "manifest.json").read_text())
    assert (manifest["target"], manifest["oracle"]) == ("lsdb", "duckdb")
    assert manifest["target_facts"]["partitions"]["Object"] > 3


@needs_lsdb
@pytest.mark.filterwarnings("ignore")
def test_all_neighbours_are_found_where_there_are_many(sky: Path, target: LsdbTarget) -> None:
    """More neighbours a row than are first asked for, and neighbours in other partitions: the count of all pairs."""
    template = read_templates(data_folder("queries", "sql"), ["nearN/count_pairs"])["nearN/count_pairs"]
    box = {"ra_min": 355.0, "ra_max": 5.0, "decl_min": -10.0, "decl_max": 10.0}
    found = target.run(template.forms({"box": box})["lsdb"], "").table
    truth = DuckDBTarget(sky).run(template.render({"box": box}), "").table
    assert compare_answers(found, truth).reason == ""
    rows = target.count("Object")
    assert found.column(0)[0].as_py() > rows


@needs_lsdb
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "key", ["lsdb/cone_degree", "lsdb/light_curves", "lsdb/cross_match", "lsdb/id_lookup", "LV/small_area"]
)
def test_nothing_found_is_an_empty_answer(target: LsdbTarget, key: str) -> None:
    """Far from the catalog, or an id that is not there: no rows and all columns."""
    template = read_templates(data_folder("queries", "sql"), [key])[key]
    cone = {"ra": 180.0, "decl": 80.0, "radius_deg": 0.01}
    box = {"ra_min": 179.0, "ra_max": 181.0, "decl_min": 79.0, "decl_max": 80.0}
    text = template.forms({"cone": cone, "box": box, "id": 1})["lsdb"]
    answer = target.run(text, "")
    call = LsdbCall.model_validate_json(text)
    other = call.match or call.join
    assert (answer.rows, answer.table.num_columns) == (0, len(call.columns) + (len(other.columns) if other else 0))


def test_a_missing_package_is_one_line_with_the_remedy(sky: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the command says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "lsdb", None)
    with pytest.raises(UserError, match=r"package is missing; pip install 'skyshard\[lsdb\]'"):
        open_lsdb(str(sky))


@pytest.mark.parametrize(
    ("spec", "message"),
    [("sky?speed=1", "no option 'speed'"), ("sky?workers=two", "workers is 'two', not a whole number")],
)
def test_a_wrong_option_is_refused(spec: str, message: str) -> None:
    """One line that says which there are."""
    with pytest.raises(UserError, match=message):
        open_lsdb(spec)
