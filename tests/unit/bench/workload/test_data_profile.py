"""Samples of a catalog that parameters are drawn from."""

import numpy as np
import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.target import NullTarget, TargetAnswer
from skyshard.bench.workload.data_profile import DataProfile, profile_data


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

    def run(self, sql: str, database: str) -> TargetAnswer:
        import pyarrow as pa

        self.statements.append(sql)
        if "COUNT(*)" in sql:
            return TargetAnswer.of(pa.table({"n": [6_000]}))
        order = self.random.permutation(50)
        ids = pa.array(order + 100)
        flux = pa.array([None if i == 3 else float("nan") if i == 4 else float(i) for i in order])
        if "FROM Source" in sql:
            return TargetAnswer.of(pa.table({"flux": flux}))
        return TargetAnswer.of(pa.table({"objectId": ids, "ra": order * 1.0, "decl": order * 0.1, "f": flux}))


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
        "SELECT o.objectId, o.ra, o.decl FROM Object o WHERE o.objectId % 3 = 1",
        "SELECT o.flux FROM Source o WHERE o.objectId % 3 = 1",
    ]
