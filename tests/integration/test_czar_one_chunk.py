"""One chunk has the whole answer: the short way, the long way, the oracle and plain MariaDB say the same.

Every statement of the case files and drawn ones are asked over skies of one chunk; drawn ones over many chunks within a
box that lies in one. ``SKYSHARD_STATEMENTS`` sets how many are drawn, ``SKYSHARD_SEED`` where they begin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.support import number_grammar, odd_sky, split_sky, trouble_sky
from tests.support.czar_grammar import Grammar
from tests.support.depth import how_many
from tests.support.every_way import EveryWay
from tests.support.same_answer import difference
from tests.support.split_sky import Splitter, drop, make_rows
from tests.support.statement_cases import read_cases

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Striping
from skyshard.chunking import Chunker
from skyshard.cluster.private_cluster import PrivateCluster

pytestmark = pytest.mark.integration
CASES = Path(__file__).resolve().parents[1] / "cases"
STATEMENTS = how_many("SKYSHARD_STATEMENTS", 30)
SEED = int(os.environ.get("SKYSHARD_SEED", "0"))
WHOLE_SKY = Striping(stripes=1, substripes=1, overlap_deg=1.0)
COARSE = Striping(stripes=6, substripes=5, overlap_deg=2.0)
STARS = 48
REFUSED = "[too-many-digits]"


@pytest.fixture(scope="module")
def skies(private_cluster: PrivateCluster) -> Iterator[dict[str, EveryWay]]:
    sources: dict[str, tuple[Any, Any, Callable[[], Any]]] = {
        "odd": (odd_sky.COLUMNS, odd_sky.LAYOUTS, lambda: odd_sky.make_odd_rows(5, 120)),
        "split": (split_sky.COLUMNS, split_sky.LAYOUTS, lambda: make_rows(3, COARSE, STARS)),
        "trouble": (trouble_sky.COLUMNS, trouble_sky.LAYOUTS, lambda: trouble_sky.ROWS),
    }
    made = {}
    for name, (columns, layouts, rows) in sources.items():
        splitter = Splitter(private_cluster, WHOLE_SKY, 1, 0, columns, layouts)
        made[name] = EveryWay(private_cluster, splitter.build(f"one_{name}", rows()))
    yield made
    for one in made.values():
        one.close()
        drop(private_cluster, one.sky.database)


def statements(name: str) -> list[tuple[str, bool]]:
    """The statements of a case file, and whether the order of their rows is total."""
    text = (CASES / name).read_text().replace("odd.", "one_odd.").replace("trouble.", "one_trouble.")
    if name == "statements.sql":
        return [(case.sql, case.is_ordered) for case in read_cases(text)]
    lines = [line for line in text.splitlines() if line and not line.startswith("--")]
    return [(line.removeprefix("! "), line.startswith("! ")) for line in lines]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("sky", "name"), [("odd", "odd.sql"), ("split", "split.sql"), ("trouble", "statements.sql")])
def test_every_statement_over_one_chunk_agrees(skies: dict[str, EveryWay], sky: str, name: str) -> None:
    """Short way, long way, row images, the oracle and the text itself on plain MariaDB give the same."""
    asked = statements(name)[:: 1 if "SKYSHARD_ALL" in os.environ else 5]
    wrong = [one for sql, is_ordered in asked for one in skies[sky].wrong(sql, is_ordered=is_ordered)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "sql",
    ["SELECT starId FROM Star ORDER BY starId OFFSET 40 ROWS", "SELECT starId FROM Star OFFSET 40 ROWS",
     "SELECT q.starId FROM (SELECT starId FROM Star ORDER BY starId OFFSET 40 ROWS) q",
     "(SELECT starId FROM Star ORDER BY starId OFFSET 30 ROWS) OFFSET 10 ROWS"],
)  # fmt: skip
def test_an_offset_without_a_limit_leaves_rows_out(skies: dict[str, EveryWay], sql: str) -> None:
    """Also in a derived table, where MariaDB 10.11 passes over it."""
    every = skies["split"]
    counts = [one.execute(sql, "one_split").rows for one in (every.sky.mono, every.sky.czar, every.long, every.images)]
    assert counts == [STARS - 40] * 4


PAIRED = "(SELECT starId FROM Pair WHERE weight < 4 AND starId IS NOT NULL)"


@pytest.mark.parametrize(
    "source",
    ["Loose l", "Star s LEFT JOIN Loose l ON s.starId = l.starId", "Star s LEFT JOIN Loose l USING (starId)",
     "Star s LEFT JOIN (Galaxy g LEFT JOIN Loose l ON l.galaxyId = g.galaxyId) ON l.starId = s.starId",
     "(SELECT starId, mag score FROM Star) l", "Star s LEFT JOIN (SELECT * FROM Loose) l ON s.starId = l.starId",
     "(SELECT q.* FROM (SELECT starId, flux score FROM Epoch) q WHERE q.starId IN (SELECT starId FROM Star)) l"],
)  # fmt: skip
@pytest.mark.parametrize("term", [f"l.starId IN {PAIRED}", f"l.starId NOT IN {PAIRED}", f"l.starId > ALL {PAIRED}"])
def test_no_rows_are_lost_beside_a_window_function(skies: dict[str, EveryWay], source: str, term: str) -> None:
    """MariaDB 10.11 loses those of a derived table that it merges: the oracle reads none for a match table."""
    odd = f"SELECT l.score, SUM(l.starId) OVER (PARTITION BY l.starId) w FROM {source} WHERE {term}"
    plain = f"SELECT l.score, l.starId FROM {source} WHERE {term}"
    assert skies["split"].wrong(odd, is_ordered=False) == []
    counts = [skies["split"].sky.mono.execute(one, "one_split").rows for one in (odd, plain)]
    assert counts[0] == counts[1] > 0


@pytest.mark.timeout(36_000)
def test_drawn_statements_over_one_chunk_agree(skies: dict[str, EveryWay]) -> None:
    """Whatever the grammar draws, over a sky of one chunk."""
    wrong: list[str] = []
    for number in range(STATEMENTS):
        grammar = Grammar(Random(f"{SEED} one chunk {number}"), WHOLE_SKY.overlap_deg, STARS)
        sql, is_ordered = grammar.statement()
        wrong += skies["split"].wrong(sql, is_ordered=is_ordered)
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(36_000)
def test_drawn_numbers_agree(skies: dict[str, EveryWay], private_cluster: PrivateCluster) -> None:
    """Digits beyond what is declared come whole on every way, or the statement is refused: one chunk, and many."""
    splitter = Splitter(private_cluster, COARSE, len(private_cluster.node_names), 0, odd_sky.COLUMNS, odd_sky.LAYOUTS)
    sky = splitter.build("odd_many", odd_sky.make_odd_rows(5, 120))
    wrong: list[str] = []
    for number in range(STATEMENTS):
        sql, is_ordered = number_grammar.statement(Random(f"{SEED} numbers {number}"))
        wrong += [one for one in skies["odd"].wrong(sql, is_ordered=is_ordered) if REFUSED not in one]
        try:
            want = sky.mono.execute(sql, sky.database)
            found = difference(sky.czar.execute(sql, sky.database), want, is_ordered=is_ordered)
        except UserError as error:
            found = "" if REFUSED in str(error) or "the server refuses" in str(error) else str(error)
        wrong += [f"many: {found}: {sql}"] if found else []
    sky.close()
    drop(private_cluster, sky.database)
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(36_000)
def test_drawn_statements_within_a_chunk_of_many_agree(private_cluster: PrivateCluster) -> None:
    """A box that lies in one of many chunks: one chunk has the answer, others have rows, too."""
    sky = Splitter(private_cluster, COARSE, len(private_cluster.node_names), 0).build(
        "split_box", make_rows(7, COARSE, STARS)
    )
    chunker = Chunker(COARSE.stripes, COARSE.substripes, COARSE.overlap_deg)
    wrong: list[str] = []
    for number in range(STATEMENTS):
        chance = Random(f"{SEED} box {number}")
        chunk, _ = chance.choice(list(sky.keys["Star"].values()))
        box = chunker.chunk_box(chunk)
        inner = f"{box.ra_min + 1e-6}, {box.dec_min + 1e-6}, {box.ra_max - 1e-6}, {box.dec_max - 1e-6}"
        sql, is_ordered = Grammar(chance, COARSE.overlap_deg, STARS, inner).statement()
        try:
            want = sky.mono.execute(sql, sky.database)
        except UserError:
            continue
        found = difference(sky.czar.execute(sql, sky.database), want, is_ordered=is_ordered)
        wrong += [f"{found}: {sql}"] if found else []
    sky.close()
    drop(private_cluster, sky.database)
    assert not wrong, "\n".join(wrong)
