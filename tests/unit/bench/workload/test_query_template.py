"""Query templates: header, parameters, and every shipped one renders to one statement."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyshard.bench.target import Answer, NullTarget
from skyshard.bench.workload.data_profile import DataProfile, profile_data
from skyshard.bench.workload.parameters import BoxParameter, FluxWindowParameter, draw
from skyshard.bench.workload.query_schedule import build_schedule
from skyshard.bench.workload.query_template import QueryTemplate, read_template, read_templates, wanted_columns
from skyshard.bench.workload.workload import Workload, read_workload, template_folder
from skyshard.errors import UserError
from skyshard.host.shipped_data import data_folder

FOLDER = data_folder("queries", "sql")
HEADER = "-- class: LV\n-- description: d\n-- why: w\n"


def write(tmp_path: Path, text: str, folder: str = "LV") -> Path:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "x.sql").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1", "line 1: there is no header"),
        ("-- class: [\nSELECT 1", "not YAML"),
        ("-- class: LV\n-- description: d\nSELECT 1", "line 1, key 'why': it is missing; add it"),
        (HEADER + "-- speed: 1\nSELECT 1", "line 4, key 'speed': there is no such key"),
        (HEADER + "SELECT {{ id }}", "line 4: 'id' is not declared"),
        (HEADER + "-- parameters: {id: {type: id}}\nSELECT 1", "line 4: parameter 'id' is never used"),
        (HEADER + "SELECT {{ id ", "line 4"),
        (HEADER + "-- parameters: {x: {type: uniform, range: [2, 1]}}\nSELECT {{ x }}", "upside down"),
        (HEADER + '-- parameters: {x: {type: choice, values: ["a\' OR 1"]}}\nSELECT {{ x }}', "parameters.x"),
    ],
)
def test_a_wrong_template_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """The message names the file, and the line or the key."""
    with pytest.raises(UserError) as caught:
        read_template(write(tmp_path, text), "LV/x")
    assert message in str(caught.value)
    assert "x.sql" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_in_the_wrong_folder_is_refused(tmp_path: Path) -> None:
    """The header's class is the folder's name."""
    with pytest.raises(UserError, match="stands in folder 'HV'"):
        read_template(write(tmp_path, HEADER + "SELECT 1", "HV"), "HV/x")


def test_a_missing_template_is_refused(tmp_path: Path) -> None:
    """A name without file gives one line with the path."""
    with pytest.raises(UserError, match="cannot read template"):
        read_template(tmp_path, "LV/none")


def test_the_sandbox_keeps_templates_from_python(tmp_path: Path) -> None:
    """An attribute that leads out of the values is refused, not followed."""
    text = HEADER + "-- parameters: {id: {type: id}}\nSELECT {{ id|attr('__class__') }}"
    template = read_template(write(tmp_path, text), "LV/x")
    with pytest.raises(UserError, match="unsafe"):
        template.render({"id": 1})


@pytest.mark.parametrize(
    ("declared", "used", "message"),
    [
        (
            "{type: box, width_deg: [1, 2], height_deg: [1, 2]}",
            "b.radius_deg",
            "box 'b' has no part 'radius_deg'; use one",
        ),
        ("{type: id}", "b.__class__", "id 'b' has no part '__class__'; write {{ b }}"),
    ],
)
def test_a_part_that_a_parameter_lacks_is_refused(tmp_path: Path, declared: str, used: str, message: str) -> None:
    """A box has no radius, an id no parts; the message names file, line and what there is."""
    text = f"{HEADER}-- parameters: {{b: {declared}}}\nSELECT {{{{ {used} }}}}"
    with pytest.raises(UserError) as caught:
        read_template(write(tmp_path, text), "LV/x")
    assert f"x.sql', line 5: {message}" in str(caught.value)


def test_a_parameter_with_parts_cannot_be_printed_whole(tmp_path: Path) -> None:
    """A box must be named by its parts."""
    text = HEADER + "-- parameters: {b: {type: box, width_deg: [1, 2], height_deg: [1, 2]}}\nSELECT {{ b }}"
    with pytest.raises(UserError, match="used whole"):
        read_template(write(tmp_path, text), "LV/x").render({"b": {"ra_min": 1.0}})


@given(st.floats(0, 359.999), st.floats(-90, 90), st.floats(0.01, 20), st.floats(0.01, 20), st.integers(0, 2**32))
def test_boxes_stay_on_the_sphere_and_hold_their_object(
    ra: float, decl: float, width: float, height: float, seed: int
) -> None:
    """A box drawn around an object contains it, also across longitude 0 and at the poles."""
    profile = DataProfile(np.array([1]), np.array([ra]), np.array([decl]))
    parameter = BoxParameter(type="box", width_deg=(width, width), height_deg=(height, height))
    box = draw({"b": parameter}, profile, np.random.default_rng(seed))["b"]
    assert isinstance(box, dict)
    assert -90 <= box["decl_min"] <= decl + 1e-6
    assert decl - 1e-6 <= box["decl_max"] <= 90
    span = (box["ra_max"] - box["ra_min"]) % 360
    assert (ra - box["ra_min"] + 1e-5) % 360 <= span + 2e-5


@given(st.floats(0.001, 0.3), st.integers(0, 2**32))
@settings(max_examples=50)
def test_flux_windows_hold_the_share_that_was_asked_for(share: float, seed: int) -> None:
    """A window with selectivity s holds s of the sample within one value."""
    profile = DataProfile.example([("Object", "x")], rows=1000)
    parameter = FluxWindowParameter(type="flux_window", table="Object", column="x", selectivity=(share, share))
    window = draw({"w": parameter}, profile, np.random.default_rng(seed))["w"]
    assert isinstance(window, dict)
    values = profile.values("Object", "x")
    found = ((values >= window["low"]) & (values <= window["high"])).mean()
    assert abs(found - share) <= 2 / len(values)


def test_an_empty_column_is_refused() -> None:
    """A window over a column without values names the column."""
    with pytest.raises(UserError, match=r"Object\.x"):
        DataProfile.example().values("Object", "x")


class Catalog(NullTarget):
    """A target that answers the questions of a profile with rows in an arbitrary order."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = np.random.default_rng(seed)
        self.statements: list[str] = []

    def run(self, sql: str, database: str) -> Answer:
        import pyarrow as pa

        self.statements.append(sql)
        if "COUNT(*)" in sql:
            return Answer.of(pa.table({"n": [6_000]}))
        order = self.random.permutation(50)
        ids = pa.array(order + 100)
        flux = pa.array([None if i == 3 else float("nan") if i == 4 else float(i) for i in order])
        if "FROM Source" in sql:
            return Answer.of(pa.table({"flux": flux}))
        return Answer.of(pa.table({"objectId": ids, "ra": order * 1.0, "decl": order * 0.1, "f": flux}))


def test_a_profile_does_not_depend_on_the_order_of_answers() -> None:
    """Ids come sorted with their positions, values sorted and finite, one statement per table."""
    wanted = [("Object", "f"), ("Source", "flux")]
    first, second = (profile_data(Catalog(seed), "d", wanted, 7) for seed in (1, 2))
    assert (first.object_ids == np.arange(100, 150)).all()
    assert (first.ra_deg == np.arange(50)).all()
    assert len(first.values("Source", "flux")) == 48
    assert (first.values("Object", "f") == second.values("Object", "f")).all()


def test_a_profile_samples_one_residue_class() -> None:
    """Of 6,000 objects every third is asked for, chosen by the seed."""
    target = Catalog(1)
    profile_data(target, "d", [("Source", "flux")], 7)
    assert target.statements[1:] == [
        "SELECT objectId, ra, decl FROM Object WHERE objectId % 3 = 1",
        "SELECT flux FROM Source WHERE objectId % 3 = 1",
    ]


def quick() -> tuple[Workload, dict[str, QueryTemplate], DataProfile]:
    path = data_folder("queries", "workloads") / "quick.yaml"
    workload = read_workload(path)
    templates = read_templates(template_folder(path), workload.template_keys)
    return workload, templates, DataProfile.example(wanted_columns(templates.values()))


def test_the_schedule_is_a_function_of_the_seed() -> None:
    """Equal seeds give equal statements, orders and due times; another seed gives others."""
    workload, templates, profile = quick()
    first, second, other = (build_schedule(workload, templates, profile, seed) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_the_schedule_holds_every_template_as_often_as_the_others() -> None:
    """Counts, warm-up and the even mix of templates are those of the file."""
    workload, templates, profile = quick()
    for phase, loads in zip(build_schedule(workload, templates, profile, 1), workload.phases, strict=True):
        for schedule, load in zip(phase, loads.classes, strict=True):
            assert load.count is not None
            assert len(schedule.queries) == load.warm_up + load.count
            assert [q.is_warm_up for q in schedule.queries] == [True] * load.warm_up + [False] * load.count
            measured = [q.template for q in schedule.queries if not q.is_warm_up]
            uses = [measured.count(f"{load.class_name}/{name}") for name in load.templates]
            assert max(uses) - min(uses) <= 1


def test_a_class_keeps_its_queries_when_another_joins_the_phase() -> None:
    """Each class draws from its own stream."""
    workload, templates, profile = quick()
    fewer = workload.model_copy(
        update={"phases": [p.model_copy(update={"classes": p.classes[:1]}) for p in workload.phases]}
    )
    whole = build_schedule(workload, templates, profile, 1)
    assert [p[0] for p in whole] == [p[0] for p in build_schedule(fewer, templates, profile, 1)]
