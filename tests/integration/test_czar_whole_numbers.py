"""Whole numbers with more digits than MariaDB declares: one chunk or many, merged or not, as text and as row image.

MariaDB declares an INT of four digits for ``1e18 DIV n``, and UNION ALL of such makes INTs of them without a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support import odd_sky
from tests.support.every_way import EveryWay
from tests.support.odd_sky import STRIPING, make_odd_rows
from tests.support.raw_server import difference_to_raw
from tests.support.same_answer import difference
from tests.support.split_sky import Splitter, drop

from skyshard.basics.errors import Refusal
from skyshard.catalog.layout import Striping
from skyshard.cluster.private_cluster import PrivateCluster

pytestmark = pytest.mark.integration
LAYOUTS = {"one": Striping(stripes=1, substripes=1, overlap_deg=1.0), "many": STRIPING}
WIDE = (
    "(1e18 DIV tiny)", "PERIOD_ADD(202001, tiny * 1e9)", "(CAST(tiny > 0 AS UNSIGNED) DIV 1e-19)", "ABS(1e18 DIV tiny)",
    "IF(tiny, -1e18 DIV tiny, 3)", "COALESCE(1e18 DIV tiny, 1)", "CEIL(1e18 DIV tiny)", "-(1e18 DIV tiny)",
    "GREATEST(1, 1e18 DIV tiny)", "CASE WHEN tiny THEN 1e18 DIV tiny ELSE 1 END", "CAST(1e18 DIV tiny AS SIGNED)",
    "NULLIF(1e18 DIV tiny, 5)", "((1e18 DIV tiny) + 0)", "MOD(1e18 DIV tiny, 9e17)",
)  # fmt: skip
NARROW = (
    "LENGTH(txt)", "FIELD(txt, 'b', 'B')", "PERIOD_DIFF(202001, 199901 + tiny % 5)", "YEARWEEK(dt)", "TO_DAYS(dy)",
    "BIT_COUNT(u)", "(bits & 7)", "(bits | yr)", "(i << 1)", "~(bits)", "SIGN(w)", "(tiny > 0)", "INSTR(txt, 'b')",
    "CRC32(txt)", "DATEDIFF(dy, dt)", "MICROSECOND(tm)", "INTERVAL(tiny, 0, 5)", "STRCMP(txt, fix)", "HOUR(tm)",
    "NULLIF(bits, SECOND(tm))", "NULLIF(yr, tiny)", "EXTRACT(DAY_MICROSECOND FROM tm)", "CAST(tiny AS UNSIGNED)",
)  # fmt: skip
RIGHT = (
    "SELECT MAX({n}), MIN({n}), SUM({n}), BIT_OR({n}) FROM Odd",
    "SELECT id % 5, MAX({n}), MIN({n}), SUM({n}) FROM Odd GROUP BY id % 5",
    "SELECT MAX(DISTINCT {n}), MIN(DISTINCT {n}), SUM(DISTINCT {n}), COUNT(DISTINCT {n}) FROM Odd",
    "SELECT id % 5, SUM(DISTINCT {n}), COUNT(DISTINCT {n}) FROM Odd GROUP BY id % 5",
    "! SELECT id FROM Odd ORDER BY {n}, id LIMIT 9",
    "! SELECT id, {n} = 1e18 FROM Odd ORDER BY {n} DESC, id",
    "SELECT CONCAT({n}), id FROM Odd",
    "SELECT id % 5 FROM Odd GROUP BY id % 5 HAVING MAX({n}) > 5e9",
    "SELECT {n}, COUNT(*) FROM Odd GROUP BY {n}",
    "SELECT DISTINCT {n} FROM Odd",
)
"""What one server answers rightly, or as it declares (where it groups), whatever digits there are."""
PLAIN = (
    "SELECT id, {n} FROM Odd",
    "! SELECT {n}, id FROM Odd ORDER BY 1 DESC, 2 LIMIT 20",
    "SELECT MAX({n}) - 1 FROM Odd",
)
"""What has no room for more digits than are declared."""


@pytest.fixture(scope="module")
def skies(private_cluster: PrivateCluster) -> Iterator[dict[str, EveryWay]]:
    made = {}
    for name, striping in LAYOUTS.items():
        splitter = Splitter(private_cluster, striping, 2, 0, odd_sky.COLUMNS, odd_sky.LAYOUTS)
        made[name] = EveryWay(private_cluster, splitter.build(f"whole_{name}", make_odd_rows(5, 60)))
    yield made
    for one in made.values():
        one.close()
        drop(private_cluster, one.sky.database)


def wrong(asked: EveryWay, template: str, number: str) -> list[str]:
    """What differs between plain MariaDB, the oracle and the czar's ways; refusals must be everywhere."""
    sql, is_ordered = template.removeprefix("! ").replace("{n}", number), template.startswith("! ")
    database = asked.sky.database
    want = asked.sky.mono.execute(sql, database)
    found = {"one server": difference_to_raw(want, asked.raw.answer(sql), is_ordered=is_ordered)}
    for name, czar in (("short", asked.sky.czar), ("long", asked.long), ("images", asked.images)):
        found[name] = difference(czar.execute(sql, database), want, is_ordered=is_ordered)
    return [f"{name}: {what}: {sql}" for name, what in found.items() if what]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("sky", LAYOUTS)
@pytest.mark.parametrize("template", RIGHT)
def test_digits_beyond_the_declared_ones_count(skies: dict[str, EveryWay], sky: str, template: str) -> None:
    """Aggregates, order and texts of wide numbers are those of one server and of plain MariaDB."""
    numbers = WIDE if sky == "many" else WIDE[:3]
    bad = [one for number in numbers for one in wrong(skies[sky], template, number)]
    assert not bad, "\n".join(bad)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("template", [PLAIN[1], RIGHT[0], RIGHT[2]])
def test_functions_that_declare_enough_are_answered(skies: dict[str, EveryWay], template: str) -> None:
    """Functions whose values fit into what they declare keep their types and values on every way."""
    bad = [one for number in NARROW for one in wrong(skies["many"], template, number)]
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("sky", LAYOUTS)
@pytest.mark.parametrize("template", PLAIN)
def test_wide_numbers_have_no_room_in_the_answer(skies: dict[str, EveryWay], sky: str, template: str) -> None:
    """An answer whose type has no room is refused on every way, never cut."""
    asked = skies[sky]
    sql = template.removeprefix("! ").replace("{n}", "1e18 DIV tiny")
    for engine in (asked.sky.mono, asked.sky.czar, asked.long, asked.images):
        with pytest.raises(Refusal, match=r"too-many-digits.*more digits than the server declares.*\(int\(\d\)\)"):
            engine.execute(sql, asked.sky.database)
