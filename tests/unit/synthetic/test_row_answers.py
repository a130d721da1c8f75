"""Answers from rows that are made again, against NumPy over the rows themselves; what is not surely known is None."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest
from tests.support.recipes import changed

from skyshard.chunking.sphere import ang_sep
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.rows.generate import open_sky
from skyshard.synthetic.placed_rows import Placement
from skyshard.synthetic.row_answers import RowAnswers
from skyshard.synthetic.spread_digests import digest_of

SHARE = 0.2
PLENTY = 10_000_000


@dataclass(frozen=True)
class Known:
    """Of some chunks of a small sky: what answers, and the rows themselves."""

    answers: RowAnswers
    rows: dict[str, pa.Table]
    chunks: list[int]

    def answer(self, sql: str, most_rows: int = PLENTY) -> list[tuple[object, ...]] | None:
        found = self.answers(sql, most_rows)
        return None if found is None else [tuple(row) for row in found.rows]

    def column(self, table: str, name: str) -> np.ndarray:
        return np.asarray(self.rows[table][name].to_numpy())


@pytest.fixture(scope="module")
def known() -> Known:
    sky = open_sky(Recipe.model_validate(changed()))
    placement = Placement(sky, SHARE, sky.recipe.striping, {name: one.layout for name, one in sky.specs.items()})
    chunks = list(sky.expected_objects())[:3]
    parts = {chunk: sky.chunk_tables(chunk, SHARE) for chunk in chunks}
    rows = {name: pa.concat_tables([parts[chunk][name] for chunk in chunks]) for name in ("Object", "Source")}
    digests = {
        name: {chunk: str(digest_of(parts[chunk][name], sky.specs[name].table)) for chunk in chunks} for name in rows
    }
    return Known(RowAnswers(placement, digests), rows, chunks)


def test_rows_of_a_table_are_counted_compared_and_averaged(known: Known) -> None:
    """Over all chunks, with a condition and without."""
    decl = known.column("Object", "decl")
    middle = float(np.median(decl))
    assert known.answer("SELECT COUNT(*) FROM Object") == [(len(decl),)]
    below = decl[decl < middle]
    assert known.answer(f"SELECT COUNT(*), MIN(decl), MAX(decl) FROM Object WHERE decl < {middle!r}") == [
        (len(below), below.min(), below.max())
    ]
    found = known.answer("SELECT AVG(o.decl) FROM Object o")
    assert found is not None
    assert found[0] == pytest.approx((decl.mean(),), rel=1e-12)


def test_rows_are_put_in_order_where_the_order_decides(known: Known) -> None:
    """With the whole key in ORDER BY a LIMIT leaves no choice; without it the rows are anybody's guess."""
    keys = known.column("Object", "objectId")
    wanted = [(key,) for key in sorted(keys.tolist(), reverse=True)[:5]]
    assert known.answer("SELECT objectId FROM Object ORDER BY objectId DESC LIMIT 5") == wanted
    assert known.answer("SELECT objectId FROM Object LIMIT 5") is None
    assert known.answer("SELECT objectId FROM Object ORDER BY ra LIMIT 5") is None


def test_a_key_is_looked_up_in_its_chunk_alone(known: Known) -> None:
    """So that few rows have to be made; a key that no chunk has gives no rows."""
    keys, ra = known.column("Object", "objectId"), known.column("Object", "ra")
    sql = f"SELECT ra FROM Object WHERE objectId = {keys[7]}"
    assert known.answer(sql, most_rows=len(keys) - 1) == [(ra[7],)]
    assert known.answer("SELECT COUNT(*) FROM Object", most_rows=len(keys) - 1) is None
    assert known.answer("SELECT ra FROM Object WHERE objectId = 5") == []


def test_an_area_keeps_the_rows_within_it(known: Known) -> None:
    """Those whose position is within the circle, by their separations."""
    ra, decl = known.column("Object", "ra"), known.column("Object", "decl")
    apart = ang_sep(ra[3], decl[3], ra, decl)
    radius = float(np.sort(apart)[20:22].mean())
    area = f"qserv_areaspec_circle({float(ra[3])!r}, {float(decl[3])!r}, {radius!r})"
    assert known.answer(f"SELECT COUNT(*) FROM Object WHERE {area}") == [(21,)]


def test_a_join_finds_the_rows_of_each_key(known: Known) -> None:
    """Sources of bright objects, counted by hand."""
    objects, directors = known.column("Object", "objectId"), known.column("Source", "objectId")
    decl = known.column("Object", "decl")
    chosen = objects[decl > np.median(decl)]
    sql = (
        f"SELECT COUNT(*) FROM Object o, Source s WHERE o.objectId = s.objectId AND o.decl > {float(np.median(decl))!r}"
    )
    assert known.answer(sql) == [(int(np.isin(directors, chosen).sum()),)]


def test_pairs_of_a_table_are_found_by_separation(known: Known) -> None:
    """All pairs, each in both orders, and each row with itself."""
    ra, decl = known.column("Object", "ra"), known.column("Object", "decl")
    apart = ang_sep(ra[:, None], decl[:, None], ra[None, :], decl[None, :])
    sql = "SELECT COUNT(*) FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.05"
    assert known.answer(sql) == [(int((apart < 0.05).sum()),)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ra / 2 FROM Object",  # division
        "SELECT COUNT(*) FROM ForcedSource",  # no digests of it
        "SELECT AVG(obsCount) FROM Object",  # of whole numbers: a decimal, rounded
        "SELECT COUNT(*) FROM Object WHERE objectId IN (SELECT objectId FROM Source)",
    ],
)
def test_what_is_not_surely_known_has_no_answer(known: Known, sql: str) -> None:
    """Another engine might answer it otherwise, or rows are not at hand."""
    assert known.answer(sql) is None


def test_rows_that_are_made_otherwise_now_answer_nothing(known: Known) -> None:
    """The digest of one chunk is another one: whatever asks that chunk is not known, the others are."""
    wrong, *rest = known.chunks
    digests = {**known.answers.digests, "Object": {**known.answers.digests["Object"]}}
    count, _, digest = digests["Object"][wrong].partition(":")
    digests["Object"] = {**digests["Object"], wrong: f"{count}:{digest[::-1]}"}
    answers = replace(known, answers=RowAnswers(known.answers.placement, digests))
    assert answers.answer("SELECT COUNT(*) FROM Object") is None
    keys = known.column("Object", "objectId").tolist()
    found = [key for key in keys if answers.answer(f"SELECT ra FROM Object WHERE objectId = {key}") is not None]
    sky = known.answers.placement.sky
    assert sorted(found) == sorted(
        key for chunk in rest for key in sky.chunk_tables(chunk, SHARE)["Object"]["objectId"].to_pylist()
    )
