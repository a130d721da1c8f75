"""The LSDB form of templates: what a header may hold, and what becomes of it. LSDB itself is not needed."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.target import NullTarget, TargetAnswer
from skyshard.bench.trial.run_trial import run_trial
from skyshard.bench.trial.send_phases import TrialSchedule, answerable
from skyshard.bench.trial.trial_setup import TrialEngines, TrialQueries, TrialRecord
from skyshard.bench.workload.data_profile import DataProfile, profile_data
from skyshard.bench.workload.lsdb_form import LsdbCall
from skyshard.bench.workload.parameters import ParameterValue
from skyshard.bench.workload.query_schedule import Query, build_schedule, without
from skyshard.bench.workload.query_template import QueryTemplate, read_template, read_templates, wanted_columns
from skyshard.bench.workload.workload import Workload
from skyshard.host.shipped_data import data_folder

FOLDER = data_folder("queries", "sql")
HEAD = "-- class: LV\n-- description: d\n-- why: w\n"
PARAMETERS = "-- parameters: {c: {type: cone, radius_deg: [1, 1]}, low: {type: uniform, range: [0, 1]}}\n"
SQL = "SELECT {{ c.ra }}, {{ low }}"
CONE = {"ra": 10.0, "decl": -5.0, "radius_deg": 0.5}


def template(tmp_path: Path, form: str) -> QueryTemplate:
    (tmp_path / "LV").mkdir()
    (tmp_path / "LV" / "x.sql").write_text(f"{HEAD}{PARAMETERS}-- lsdb: {form}\n{SQL}")
    return read_template(tmp_path, "LV/x")


def call(found: QueryTemplate, **values: ParameterValue) -> LsdbCall:
    return LsdbCall.model_validate_json(found.forms(values)["lsdb"])


def test_degrees_of_a_template_are_arcseconds_of_a_call(tmp_path: Path) -> None:
    """A cone's radius and a match's become arcseconds, positions stay degrees, names are the schema's."""
    form = "{table: Object, cone: c, columns: [id], match: {table: Object, columns: [ra], radius_deg: 0.001}}"
    found = call(template(tmp_path, form), c=CONE, low=0.25)
    assert found.cone == (10.0, -5.0, 1800.0)
    assert found.match is not None
    assert found.match.radius_arcsec == pytest.approx(3.6)
    assert (found.table, found.key, found.columns, found.match.columns) == ("Object", "objectId", ["objectId"], ["ra"])


def test_conditions_become_text_with_numbers_only(tmp_path: Path) -> None:
    """Bounds are numbers or parameters, columns the schema's; several bounds hold together."""
    form = (
        "{table: Object, count: true, where: [{column: z_apFlux, at_least: low, below: 3},"
        " {column: y_instFlux, above_column: u_instFlux}]}"
    )
    found = call(template(tmp_path, form), c=CONE, low=0.25)
    assert found.where == "z_apFlux >= 0.25 and z_apFlux < 3.0 and y_instFlux > u_instFlux"
    assert found.count
    assert not found.counts_all


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("{table: Object}", "line 5, key 'lsdb.columns': give either columns or a count"),
        ("{table: Object, columns: [id], count: true}", "give either columns or a count"),
        ("{table: Object, columns: [id], limit: 3}", "line 5, key 'lsdb.limit': there is no such key"),
        ("{table: Object, columns: [id], cone: low}", "line 5: there is no parameter 'low' of type cone"),
        ("{table: Object, columns: [nothing]}", "line 5: schema 'synth' has no Object.nothing"),
        ("{table: Object, columns: [id], where: [{column: ra}]}", "it bounds nothing"),
        ("{table: Object, columns: [id], where: [{column: ra, above: c}]}", "line 5: 'c' is no number of a parameter"),
        (
            "{table: Object, columns: [id], where: [{column: ra, above: 'x; y'}]}",
            "key 'lsdb.where.0.above': 'x; y' is neither a number nor a parameter",
        ),
    ],
)
def test_a_wrong_form_is_refused_in_one_line(tmp_path: Path, form: str, message: str) -> None:
    """File, line and remedy, before anything runs."""
    with pytest.raises(UserError) as caught:
        template(tmp_path, form)
    assert message in str(caught.value)
    assert "x.sql" in str(caught.value)
    assert "\n" not in str(caught.value)


class FormTarget(NullTarget):
    """Answers forms at once, and keeps them."""

    name = "formed"
    form = "lsdb"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def run(self, sql: str, database: str) -> TargetAnswer:
        self.asked.append(sql)
        return super().run(sql, database)


def mixed(*names: str) -> tuple[Workload, dict[str, QueryTemplate], DataProfile]:
    load = {"class": "LV", "templates": list(names), "count": 4}
    workload = Workload.model_validate(
        {
            "version": 1, "name": "w", "description": "d", "database": "d", "seed": 1,
            "phases": [{"name": "one", "classes": [load]}],
        }
    )  # fmt: skip
    templates = read_templates(FOLDER, workload.template_keys)
    return workload, templates, DataProfile.example(wanted_columns(templates.values()))


def test_what_has_no_form_is_reported_and_the_rest_is_asked_unchanged(tmp_path: Path) -> None:
    """The target is sent forms; the trial says which queries it was not sent, and why, on every page."""
    workload, templates, profile = mixed("object_by_id", "cone")
    target = FormTarget()
    queries = TrialQueries(workload, templates, profile=profile)
    summary = run_trial(queries, TrialEngines(target), TrialRecord(tmp_path / "trial")).summary
    assert [json.loads(one)["table"] for one in target.asked] == ["Object", "Object"]
    assert [(one.template, one.queries) for one in summary.not_answered] == [("LV/cone", 2)]
    assert summary.n == 2
    reason = templates["LV/cone"].header.lsdb
    for page in ("report.md", "report.html"):
        assert str(reason) in (tmp_path / "trial" / page).read_text()
    assert "2 of the workload not answered by formed" in (tmp_path / "trial" / "report.md").read_text()
    whole = build_schedule(workload, templates, profile, 1)
    kept = answerable(whole, templates, target).phases
    assert kept[0][0].queries == tuple(q for q in whole[0][0].queries if q.template != "LV/cone")


def test_a_target_that_can_answer_nothing_is_refused(tmp_path: Path) -> None:
    """A workload without any form is no trial of it."""
    workload, templates, profile = mixed("cone")
    queries = TrialQueries(workload, templates, profile=profile)
    with pytest.raises(UserError, match="can answer no template of this workload: the operations of a form neither"):
        run_trial(queries, TrialEngines(FormTarget()), TrialRecord(tmp_path / "trial"))


def test_a_target_with_sql_is_asked_everything() -> None:
    """Only targets that take forms leave anything out, and they are sent nothing else."""
    workload, templates, profile = mixed("object_by_id", "cone")
    schedule = build_schedule(workload, templates, profile, 1)
    assert answerable(schedule, templates, NullTarget()) == TrialSchedule(schedule)
    assert without(schedule, ["LV/none"]) == (schedule, {})
    query = Query("LV/x", "SELECT 1", forms={"lsdb": "{}"})
    assert (query.asked_of(NullTarget()), query.asked_of(FormTarget())) == ("SELECT 1", "{}")


def test_a_profile_of_a_target_without_sql_comes_from_its_rows() -> None:
    """It counts and samples the same residue class by itself."""

    class Rows(FormTarget):
        def count(self, table: str) -> int:
            return 6_000

        def sample(self, table: str, columns: Sequence[str], key: str, modulus: int, residue: int) -> pa.Table:
            import pyarrow as pa

            assert (table, list(columns), key, modulus, residue) == (
                "Object",
                ["objectId", "ra", "decl"],
                "objectId",
                3,
                1,
            )
            return pa.table({"a": [3, 2], "b": [0.3, 0.2], "c": [1.0, 2.0]})

    found = profile_data(Rows(), "d", [], 7)
    assert (found.object_ids.tolist(), found.ra_deg.tolist()) == ([2, 3], [0.2, 0.3])


def test_every_shipped_template_says_what_lsdb_is_asked_or_why_it_is_not() -> None:
    """A form or a reason stands in each header; those of the workload ``lsdb`` all have a form."""
    keys = [f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.sql")]
    said = {}
    for key in keys:
        try:
            said[key] = read_template(FOLDER, key)
        except UserError:  # KPM names only
            from skyshard.bench.workload.schema_names import read_schema_file

            kpm = read_schema_file(data_folder("queries", "schemas"), "kpm")
            said[key] = read_template(FOLDER, key, kpm)
    assert [key for key, one in said.items() if one.header.lsdb is None] == []
    assert [key for key, one in said.items() if key.startswith("lsdb/") and one.why_no_form("lsdb")] == []
