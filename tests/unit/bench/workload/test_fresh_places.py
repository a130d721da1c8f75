"""Places that no other query has: on the footprint, apart from each other, and never again in the next trials."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.fresh_places import Footprint, FreshPlaces
from skyshard.bench.workload.query_schedule import build_schedule
from skyshard.bench.workload.workload import Workload, read_workload
from skyshard.bench.workload.workload_fit import workload_templates
from skyshard.chunking.sphere import unit_vectors
from skyshard.host.shipped_data import data_folder

NIGHT = data_folder("queries", "workloads") / "night.yaml"
SKIES = {
    "across 0 h": ((355.0, 365.0), (-5.0, 5.0)),
    "north pole": ((0.0, 360.0), (85.0, 90.0)),
    "two hours": ((30.0, 60.0), (-60.0, -50.0)),
}


def sample(name: str, rows: int = 2000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Positions evenly over a box."""
    (west, east), (south, north) = SKIES[name]
    random = np.random.default_rng(seed)
    low, high = np.sin(np.radians([south, north]))
    return random.uniform(west, east, rows) % 360.0, np.degrees(np.arcsin(random.uniform(low, high, rows)))


@pytest.mark.parametrize("name", SKIES)
def test_places_are_on_the_footprint_and_apart(name: str) -> None:
    """Four hundred places: each near objects, and no two nearer than a third of what an even spread would leave."""
    ra, decl = sample(name)
    (west, east), (south, north) = SKIES[name]
    places = FreshPlaces(Footprint.of(ra, decl), np.arange(10), 7)
    found = np.array([places.place() for _ in range(400)])
    objects, here = unit_vectors(ra, decl), unit_vectors(found[:, 0], found[:, 1])
    area = (east - west) * np.degrees(np.sin(np.radians(north)) - np.sin(np.radians(south)))
    spread = np.radians(np.sqrt(area / 400))
    distances = np.linalg.norm(here[:, np.newaxis] - objects, axis=2).min(axis=1)
    assert distances.max() < 2 * spread
    between = np.linalg.norm(here[:, np.newaxis] - here, axis=2)[np.triu_indices(400, 1)]
    assert between.min() > spread / 3
    assert places.taken == (400, 0)


def test_a_stretch_begins_where_the_one_before_ends() -> None:
    """Of places and of ids; ids begin again when all were handed out."""
    footprint = Footprint.of(*sample("two hours"))
    one = FreshPlaces(footprint, np.arange(100, 120), 7)
    first = [one.place() for _ in range(30)]
    other = FreshPlaces(footprint, np.arange(100, 120), 7, (10, 15))
    assert [other.place() for _ in range(20)] == first[10:]
    ids = [one.ids(5) for _ in range(4)]
    assert sorted(itertools.chain(*ids)) == list(range(100, 120))
    assert other.ids(5) == ids[3]
    assert other.ids(5) == ids[0]
    assert len(other.ids(500)) == 20


def statements(workload: Workload, profile: DataProfile, seed: int) -> list[str]:
    templates = workload_templates(NIGHT, workload)
    return [
        query.sql
        for phase in build_schedule(workload, templates, profile, seed)
        for one in phase
        for query in one.queries
    ]


def test_no_statement_of_a_sequence_of_trials_is_another_s() -> None:
    """Three trials of ``night``, each with the next seed: each statement is there once; a seed gives the same again."""
    ra, decl = sample("two hours")
    profile = DataProfile(np.arange(1, 2001), ra, decl)
    workload = read_workload(NIGHT)
    trials = [statements(workload, profile, workload.seed + number) for number in range(3)]
    every = list(itertools.chain(*trials))
    assert len(set(every)) == len(every) == 3 * 186
    assert trials[1] == statements(workload, profile, workload.seed + 1)


def test_a_class_that_repeats_its_statements_has_no_fresh_places() -> None:
    """A closed loop with a duration goes round: the class and the template are named."""
    workload = read_workload(NIGHT)
    load = workload.phases[0].classes[0].model_copy(update={"count": None, "duration_s": 5.0})
    phase = workload.phases[0].model_copy(update={"classes": [load]})
    ra, decl = sample("two hours")
    with pytest.raises(UserError, match=r"class 'night' of phase 'alone' repeats its 200 statements.*'night/cone'"):
        statements(
            workload.model_copy(update={"phases": [phase]}), DataProfile(np.arange(1, 2001), ra, decl), workload.seed
        )


def test_the_footprint_of_another_sample_may_be_used() -> None:
    """A profile's own sample is the footprint only where no other is given."""
    ra, decl = sample("two hours")
    profile = DataProfile(np.arange(1, 2001), ra, decl)
    other = Footprint.of(*sample("across 0 h"))
    assert profile.area.has(np.array([45.0]), np.array([-55.0])).all()
    assert replace(profile, footprint=other).area is other
