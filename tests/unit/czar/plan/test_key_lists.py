"""Marks in place of long lists: of the condition itself, not of another table's that ends alike."""

from __future__ import annotations

import pytest

from skyshard.czar.plan.chunk_template import KeyList, Template, list_mark
from skyshard.czar.plan.key_lists import LongList, parted

LONG = LongList("o.id IN (1, 2)", KeyList("o.id IN (", {7: ("1",)}, ()))


@pytest.mark.parametrize(
    ("rest", "right"),
    [
        (" FROM t AS o WHERE o.id IN (1, 2)", " FROM t AS o WHERE MARK"),
        (
            " FROM t AS o, u AS oo WHERE oo.id IN (1, 2) AND o.id IN (1, 2)",
            " FROM t AS o, u AS oo WHERE oo.id IN (1, 2) AND MARK",
        ),
        (" FROM t AS o WHERE (NOT o.id IN (1, 2)) OR o.id IN (1, 2)", " FROM t AS o WHERE (NOT MARK) OR MARK"),
    ],
)
def test_a_mark_stands_for_the_whole_condition(rest: str, right: str) -> None:
    """``oo.id IN (...)`` ends as ``o.id IN (...)`` does; its keys are another director's, in other chunks."""
    made = parted(Template(rest, {}), [LONG])
    assert made.rest == right.replace("MARK", list_mark(0))
    assert made.lists == {0: LONG.keys}


@pytest.mark.parametrize("before", ["x", "é", "$", "`d`.", "_", "1"])
def test_what_only_ends_alike_keeps_its_list(before: str) -> None:
    """Every character that a name can have, and a qualified name."""
    template = Template(f" FROM t WHERE {before}o.id IN (1, 2)", {})
    assert parted(template, [LONG]) == template
