"""Workload files: strict, and every shipped one holds."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from skyshard.basics.errors import UserError
from skyshard.bench.workload.workload import Closed, Open, read_workload
from skyshard.host.shipped_data import data_folder

Change = Callable[[dict[str, Any]], object]

GOOD = {
    "version": 1,
    "name": "w",
    "description": "d",
    "database": "tiny",
    "seed": 1,
    "phases": [{"name": "one", "classes": [{"class": "LV", "templates": ["a"], "count": 3}]}],
}
OPEN = {"loop": "open", "rate_per_s": 0}


def write(tmp_path: Path, change: Change) -> Path:
    content = copy.deepcopy(GOOD)
    change(content)
    path = tmp_path / "w.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda c: c.update(speed=9), "speed"),
        (lambda c: c.update(phases=[]), "phases"),
        (lambda c: c["phases"][0].update(classes=[]), "phases.0.classes"),
        (lambda c: c["phases"][0]["classes"][0].update(templates=[]), "phases.0.classes.0.templates"),
        (lambda c: c["phases"][0]["classes"][0].update(duration_s=3), "needs either 'count' or 'duration_s'"),
        (lambda c: c["phases"][0]["classes"][0].pop("count"), "needs either 'count' or 'duration_s'"),
        (lambda c: c["phases"][0]["classes"][0].update(arrivals=OPEN), "rate_per_s"),
        (lambda c: c["phases"][0]["classes"][0].update(templates=["../../x y"]), "templates.0"),
        (lambda c: c["phases"][0]["classes"].append(c["phases"][0]["classes"][0]), "names a class twice"),
        (lambda c: c["phases"].append(c["phases"][0]), "two phases have one name"),
    ],
)
def test_a_wrong_workload_is_refused_in_one_line(tmp_path: Path, change: Change, key: str) -> None:
    """The message names the file and the key or the rule, in one line."""
    path = write(tmp_path, change)
    with pytest.raises(UserError) as caught:
        read_workload(path)
    assert str(path) in str(caught.value)
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "line", "key"),
    [
        (lambda c: c["phases"][0]["classes"][0].update(arrivals=OPEN), 12, "phases.0.classes.0.arrivals.rate_per_s"),
        (lambda c: c["phases"][0]["classes"][0].update(templates=[]), 11, "phases.0.classes.0.templates"),
        (lambda c: c.update(thresholds=[{"class": "HV", "statistic": "p95", "at_most": 1}]), 12, "thresholds.0.class"),
        (lambda c: c.update(thresholds=[{"class": "LV", "statistic": "p95"}]), 12, "thresholds.0"),
        (
            lambda c: c.update(thresholds=[{"class": "LV", "statistic": "p42", "at_most": 1}]),
            12,
            "thresholds.0.statistic",
        ),
    ],
)
def test_an_error_names_file_line_and_remedy(tmp_path: Path, change: Change, line: int, key: str) -> None:
    """The line is that of the key, or of the model that lacks it."""
    path = write(tmp_path, change)
    with pytest.raises(UserError) as caught:
        read_workload(path)
    assert f"'{path}', line " in str(caught.value)
    assert f"key '{key}'" in str(caught.value)
    found = int(str(caught.value).split("line ")[1].split(",")[0])
    last = key.rsplit(".", 1)[-1]
    text = path.read_text().splitlines()[found - 1]
    assert last in text or last.isdigit() or found == line
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["phases"][0]["classes"][0].update(templates=[]), "class 'LV' has no queries; name templates of"),
        (lambda c: c["phases"][0]["classes"][0].update(arrivals=OPEN), "sends no queries; give queries per second"),
        (lambda c: c.update(phases=[]), "key 'phases': it is empty; name at least one"),
        (lambda c: c.pop("seed"), "key 'seed': it is missing; add it"),
    ],
)
def test_what_would_ask_nothing_is_refused_in_plain_words(tmp_path: Path, change: Change, message: str) -> None:
    """What is wrong and what to do are said without the words of the validating library."""
    with pytest.raises(UserError) as caught:
        read_workload(write(tmp_path, change))
    assert message in str(caught.value)


def test_a_duration_for_classes_without_one_is_refused(tmp_path: Path) -> None:
    """--duration of a workload that counts its queries would change nothing."""
    with pytest.raises(UserError, match="no class of workload 'w' has a duration"):
        read_workload(write(tmp_path, lambda c: None)).lasting(3)


def test_a_threshold_of_a_missing_class_names_those_that_are_there(tmp_path: Path) -> None:
    """The remedy lists the workload's classes."""
    path = write(tmp_path, lambda c: c.update(thresholds=[{"class": "HV", "statistic": "p95", "at_most": 1}]))
    with pytest.raises(UserError, match="has no class 'HV'; name one of LV"):
        read_workload(path)


def test_a_workload_can_leave_classes_out_and_last_shorter() -> None:
    """Classes go with their phases and thresholds; durations change, counts do not; an unknown class is refused."""
    loaded = read_workload(data_folder("queries", "workloads") / "lvv-t1089.yaml")
    fewer = loaded.without(["LV", "joinObjFSrc"])
    assert "LV" not in {load.class_name for load in fewer.phases[0].classes}
    assert [one.class_name for one in fewer.thresholds] == ["FTSObj"]
    assert {load.duration_s for load in loaded.lasting(7).phases[0].classes} == {7}
    with pytest.raises(UserError, match="no class 'XX'"):
        loaded.without(["XX"])
    with pytest.raises(UserError, match="no class left"):
        loaded.without([load.class_name for load in loaded.phases[0].classes])


def test_the_ldm_552_columns_are_those_of_the_document() -> None:
    """Clients of the 50 % column: 80 users of short queries (one in 9 s each) and 30 long ones."""
    loads = read_workload(data_folder("queries", "workloads") / "kpm-50.yaml").phases[0].classes
    clients = {load.class_name: load.arrivals.clients for load in loads}
    assert clients == {
        "LV": 80, "FTSObj": 12, "FTSSrc": 3, "FTSFSrc": 3, "joinObjSrc": 6, "joinObjFSrc": 3, "nearN": 3,
    }  # fmt: skip
    assert isinstance(loads[0].arrivals, Open)
    assert loads[0].arrivals.rate_per_s == pytest.approx(80 / 9, rel=1e-3)
    assert {load.class_name: load.target_s for load in loads}["FTSObj"] == 3600


def test_the_loop_word_chooses_the_model(tmp_path: Path) -> None:
    """`loop: open` and `loop: closed` read as different models; closed with one client is the default."""
    path = write(tmp_path, lambda c: c["phases"][0]["classes"][0].update(arrivals={"loop": "open", "rate_per_s": 2}))
    load = read_workload(path).phases[0].classes[0]
    assert isinstance(load.arrivals, Open)
    assert load.arrivals.text == "2/s, poisson"
    assert read_workload(write(tmp_path, lambda c: None)).phases[0].classes[0].arrivals == Closed()


def test_the_digest_ignores_the_description_and_heeds_the_templates(tmp_path: Path) -> None:
    """Two workloads that ask the same have one digest; another seed or template text gives another."""
    base = read_workload(write(tmp_path, lambda c: None))
    same = read_workload(write(tmp_path, lambda c: c.update(description="else")))
    other = read_workload(write(tmp_path, lambda c: c.update(seed=2)))
    assert base.digest({"LV/a": "x"}) == same.digest({"LV/a": "x"})
    assert len({base.digest({"LV/a": "x"}), other.digest({"LV/a": "x"}), base.digest({"LV/a": "y"})}) == 3


@pytest.mark.parametrize("path", sorted(data_folder("queries", "workloads").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_workload_reads_back_as_it_is(path: Path) -> None:
    """A shipped workload validates, has its file's name, and survives a round trip."""
    workload = read_workload(path)
    assert workload.name == path.stem
    assert type(workload).model_validate(workload.model_dump(by_alias=True)) == workload
