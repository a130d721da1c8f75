"""Set operations within others over rows that come several times, against counters: MariaDB alone does some wrongly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
Rows = Counter[int | None]
A: Rows = Counter((1, 1, 1, 2, 5, 5, None, None))
B: Rows = Counter((1, 1, 3, 5, 5, None))
C: Rows = Counter((1, 2, 2, 3, 5, None, None))
"""2 is in the first and the last alone: MariaDB had -1 of it, and wrote rows without an end."""
RIGHT: dict[str, Callable[[], Rows]] = {
    "{a} INTERSECT ALL {b} EXCEPT ALL {c}": lambda: (A & B) - C,
    "({a} INTERSECT ALL {b}) EXCEPT ALL {c}": lambda: (A & B) - C,
    "{a}" + " EXCEPT ALL {b}" * 100: lambda: Counter(one for one in A.elements() if one not in B),
    "({a} INTERSECT ALL {b}) INTERSECT ALL {a}": lambda: A & B,
    "{a} INTERSECT ALL {b} UNION ALL {c}": lambda: (A & B) + C,
    "{a} UNION ALL {b} INTERSECT ALL {c} EXCEPT ALL {b}": lambda: (A + (B & C)) - B,
    "{a} EXCEPT ALL ({b} INTERSECT ALL {c} EXCEPT ALL {b})": lambda: A - ((B & C) - B),
    "({a} UNION ALL {b}) EXCEPT ALL {c} UNION {b}": lambda: Counter({*((A + B) - C), *B}),
    "{a} INTERSECT ALL {b} EXCEPT {c} ORDER BY v LIMIT 3": lambda: Counter({*(A & B)} - {*C}),
    "{a} EXCEPT ALL ({a} INTERSECT ALL {b} EXCEPT ALL ({b} INTERSECT ALL {c}))": lambda: A - ((A & B) - (B & C)),
    "{b} INTERSECT ({a} INTERSECT ALL {b} EXCEPT ALL ({a} EXCEPT ALL {b}))": lambda: Counter(
        {*B} & {*((A & B) - (A - B))}
    ),
    "SELECT q.v FROM ({a} INTERSECT ALL {b} EXCEPT ALL {c}) AS q": lambda: (A & B) - C,
}


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster) -> Iterator[Testbed]:
    with Testbed(private_cluster.folder) as made:
        yield made


@pytest.mark.parametrize("text", RIGHT)
@pytest.mark.parametrize("wide", ["", "REPEAT('0', 1000), "], ids=["in memory", "on disk"])
def test_rows_come_as_often_as_the_operations_say(testbed: Testbed, text: str, wide: str) -> None:
    """Each statement ends, in parentheses or not, and has each row the right number of times."""
    parts = {
        name: f"SELECT v FROM ({' UNION ALL '.join(f'SELECT CONCAT({wide}{one}) AS v' for one in spelt(rows))}) AS t"
        for name, rows in (("a", A), ("b", B), ("c", C))
    }
    found = testbed.query(text.format(**parts))
    assert found.columns == ("v",)
    assert Counter(one and int(one) for one in found.table.column(0).to_pylist()) == RIGHT[text]()


def spelt(rows: Rows) -> list[str]:
    return ["NULL" if one is None else str(one) for one in rows.elements()]
