"""Schedules: every statement fixed before the run."""

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.query_schedule import build_schedule
from skyshard.bench.workload.query_template import QueryTemplate, read_templates, wanted_columns
from skyshard.bench.workload.workload import ClassLoad, Open, Phase, Workload, read_workload, template_folder
from skyshard.host.shipped_data import data_folder

FOLDER = data_folder("queries", "sql")


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


@pytest.mark.parametrize(
    ("rate_per_s", "warm_up", "said"),
    [(1e-9, 0, "none falls due in 1 s"), (5.0, 50, "fall due, as warm-up, in 1 s"), (5.0, 5, "as warm-up, in 1 s")],
)
def test_a_class_that_would_measure_no_query_is_refused(rate_per_s: float, warm_up: int, said: str) -> None:
    """No query falls due, or all that do are warm-up: the trial would say nothing about the class."""
    workload, templates, profile = quick()
    arrivals = Open(loop="open", rate_per_s=rate_per_s, process="poisson" if rate_per_s < 1 else "regular")
    load = ClassLoad(templates=["object_by_id"], arrivals=arrivals, warm_up=warm_up, duration_s=1.0, class_name="LV")
    seldom = workload.model_copy(update={"phases": [Phase(name="p", classes=[load])]})
    with pytest.raises(UserError, match=f"class 'LV' of phase 'p' measures no query: .*{said}"):
        build_schedule(seldom, templates, profile, 1)
