"""Schedules: every statement fixed before the run."""

from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.query_schedule import build_schedule
from skyshard.bench.workload.query_template import QueryTemplate, read_templates, wanted_columns
from skyshard.bench.workload.workload import Workload, read_workload, template_folder
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
