"""Workload files: strict, and every shipped one holds."""

import copy

import pytest
import yaml

from skyshard.bench.workload import Closed, Open, read_workload
from skyshard.errors import UserError
from skyshard.resources import data_folder

GOOD = {
    "version": 1,
    "name": "w",
    "description": "d",
    "database": "tiny",
    "seed": 1,
    "phases": [{"name": "one", "classes": [{"class": "LV", "templates": ["a"], "count": 3}]}],
}
OPEN = {"loop": "open", "rate_per_s": 0}


def write(tmp_path, change) -> object:
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
def test_a_wrong_workload_is_refused_in_one_line(tmp_path, change, key):
    """The message names the file and the key or the rule, in one line."""
    path = write(tmp_path, change)
    with pytest.raises(UserError) as caught:
        read_workload(path)
    assert str(path) in str(caught.value)
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_loop_word_chooses_the_model(tmp_path):
    """`loop: open` and `loop: closed` read as different models; closed with one client is the default."""
    path = write(tmp_path, lambda c: c["phases"][0]["classes"][0].update(arrivals={"loop": "open", "rate_per_s": 2}))
    load = read_workload(path).phases[0].classes[0]
    assert isinstance(load.arrivals, Open)
    assert load.arrivals.text == "2/s, poisson"
    assert read_workload(write(tmp_path, lambda c: None)).phases[0].classes[0].arrivals == Closed()


def test_the_digest_ignores_the_description_and_heeds_the_templates(tmp_path):
    """Two workloads that ask the same have one digest; another seed or template text gives another."""
    base = read_workload(write(tmp_path, lambda c: None))
    same = read_workload(write(tmp_path, lambda c: c.update(description="else")))
    other = read_workload(write(tmp_path, lambda c: c.update(seed=2)))
    assert base.digest({"LV/a": "x"}) == same.digest({"LV/a": "x"})
    assert len({base.digest({"LV/a": "x"}), other.digest({"LV/a": "x"}), base.digest({"LV/a": "y"})}) == 3


@pytest.mark.parametrize("path", sorted(data_folder("queries", "workloads").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_workload_reads_back_as_it_is(path):
    """A shipped workload validates, has its file's name, and survives a round trip."""
    workload = read_workload(path)
    assert workload.name == path.stem
    assert type(workload).model_validate(workload.model_dump(by_alias=True)) == workload
