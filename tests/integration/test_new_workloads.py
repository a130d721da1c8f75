"""The workloads of 2026, template by template: the czar's answers are those that are worked out from the sky's rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tests.support.recipes import changed

from skyshard.bench.check.true_answers import TrueAnswers
from skyshard.bench.trial.send_phases import sample_data
from skyshard.bench.trial.trial_setup import TrialQueries
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.fresh_places import FreshPlaces
from skyshard.bench.workload.parameters import Draws, draw
from skyshard.bench.workload.query_template import QueryTemplate
from skyshard.bench.workload.workload import read_workload
from skyshard.bench.workload.workload_fit import workload_templates
from skyshard.catalog.layout import Layout, Striping
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.host.shipped_data import data_folder
from skyshard.scenarios import testbed_target
from skyshard.scenarios.catalog_facts import true_answers
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

FOLDER = data_folder("queries", "workloads")
NAMES = ("night", "lsdb-1533", "mobu")
TEMPLATES: dict[str, QueryTemplate] = {
    key: template
    for name in NAMES
    for key, template in workload_templates(FOLDER / f"{name}.yaml", read_workload(FOLDER / f"{name}.yaml")).items()
}
Sky = tuple[Testbed, TrueAnswers, DataProfile]


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sky]:
    """A small sky in Rubin's layout, which is not the generator's."""
    folder = tmp_path_factory.mktemp("sky")
    write_catalog(Recipe.model_validate(changed(visits__nights=20, sky__blends=0.3)), folder, fraction=0.4)
    with Testbed(private_cluster.folder) as testbed:
        layout = Layout(striping=Striping(stripes=340, substripes=3, overlap_deg=0.01667))
        testbed.ingest(str(folder), database="newly", layout=layout)
        queries = TrialQueries(read_workload(FOLDER / "night.yaml"), TEMPLATES, "newly")
        truth = true_answers(testbed, "newly")
        assert truth is not None
        yield testbed, truth, sample_data(queries, testbed_target.TestbedTarget(testbed, "czar"))


@pytest.mark.parametrize("key", TEMPLATES)
def test_answers_are_those_of_the_rows(sky: Sky, key: str) -> None:
    """Each template with three draws of its parameters: the truth is known, confirmed, and refuses another answer."""
    testbed, truth, profile = sky
    fresh = FreshPlaces(profile.area, profile.object_ids, 5)
    draws = Draws(profile, np.random.default_rng(3), fresh)
    template, rows = TEMPLATES[key], 0
    for _ in range(3):
        sql = template.render(draw(template.header.parameters, draws))
        answer, known = testbed.query(sql, database="newly").table, truth.answer(sql)
        assert known is not None, sql[:500]
        assert known.difference(answer) == "", sql[:500]
        assert not answer.num_rows or known.difference(answer.slice(1)), sql[:500]
        rows += answer.num_rows
    assert rows or key == "alerts/brightened", "no draw had an answer with rows"


def test_a_long_list_of_keys_is_parted_by_chunk(sky: Sky) -> None:
    """A chunk is asked for its own keys; unknown ones are asked of no one."""
    testbed, truth, profile = sky
    keys = [int(one) for one in profile.object_ids[:400]]
    sql = f"SELECT objectId, psfFlux FROM Source WHERE objectId IN ({', '.join(map(str, [7, *keys, 8]))})"
    plan = testbed.explain(sql, database="newly").as_text()
    assert sum(str(key) in plan for key in keys) < len(keys) / 2
    known = truth.answer(sql)
    assert known is not None
    assert known.difference(testbed.query(sql, database="newly").table) == ""
