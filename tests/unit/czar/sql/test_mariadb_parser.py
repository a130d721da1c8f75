"""The parser binds as MariaDB does, and keeps as one node what is one thing."""

from __future__ import annotations

import pytest
from sqlglot import exp
from sqlglot.errors import ParseError

from skyshard.basics.errors import UserError
from skyshard.czar.sql.dialect import DIALECT, parse_expression, render
from skyshard.czar.sql.mariadb_parser import require_adaptable
from skyshard.czar.sql.tree_nodes import SPELLING, Formula, NumberList


def test_a_compiled_parser_is_named() -> None:
    """Where sqlglotc has replaced the parser, the error says so and how to mend it, not what broke inside."""
    with pytest.raises(UserError, match="sqlglotc is installed") as caught:
        require_adaptable("/site-packages/sqlglot/parser.cpython-311-x86_64-linux-gnu.so")
    assert caught.value.remedy == "pip uninstall sqlglotc"


@pytest.mark.parametrize(
    ("text", "left"),
    [("a = b = c", "a = b"), ("a < b = c", "a < b"), ("a = b < c", "a = b"), ("a <=> b >= c", "(a <=> b)")],
)
def test_comparisons_bind_alike(text: str, left: str) -> None:
    """``=``, ``<`` and their like bind from left to right, whichever comes first."""
    tree = parse_expression(text)
    assert render(tree.this) == left
    assert render(tree.expression) == "c"


@pytest.mark.parametrize(
    "text", ["a LIKE b LIKE c", "a IN (1) IN (2)", "a BETWEEN 1 AND 2 IN (3)", "NOT a LIKE b RLIKE c"]
)
def test_a_predicate_after_another_is_refused(text: str) -> None:
    """MariaDB binds the second of two predicates first in some cases, so whoever writes them says which."""
    with pytest.raises(ParseError, match="parentheses around the first of two predicates"):
        DIALECT.parse(f"SELECT {text} FROM t")


def test_a_predicate_in_parentheses_is_read() -> None:
    """Parentheses of the user's around the first say what is meant."""
    assert render(parse_expression("(a LIKE b) IN (0, 1)")) == "(a LIKE b) IN (0, 1)"


@pytest.mark.parametrize(("count", "nodes"), [(31, 31), (32, 1), (10_000, 1)])
def test_a_long_list_of_numbers_is_one_node(count: int, nodes: int) -> None:
    """A short list has a node for each number; one of 32 or more is copied and walked through as one."""
    listed = ", ".join(str(number) for number in range(count))
    tree = parse_expression(f"a IN ({listed})")
    assert len(tree.expressions) == nodes
    assert render(tree) == f"a IN ({listed})"
    if nodes == 1:
        assert isinstance(tree.expressions[0], NumberList)
        assert [int(number) for number in tree.expressions[0].numbers] == list(range(count))


@pytest.mark.parametrize("odd", ["1.5", "-1", "'7'", "b", "NULL", "1 + 1"])
def test_a_list_of_other_than_whole_numbers_keeps_its_nodes(odd: str) -> None:
    """One item that is no whole number, at the end of the list, and each item is a node."""
    tree = parse_expression(f"a IN ({'7, ' * 40}{odd})")
    assert len(tree.expressions) == 41
    assert not tree.find(NumberList)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("SUBSTRING(a FROM 2 FOR 3)", "SUBSTRING(a, 2, 3)"),
        ("MID(a, 2)", "SUBSTRING(a, 2)"),
        ("a SOUNDS LIKE b", "(SOUNDEX(a) = SOUNDEX(b))"),
        ("UTC_DATE", "UTC_DATE()"),
        ("INTERVAL(3, 1, 2)", "INTERVAL(3, 1, 2)"),
        ("d + INTERVAL 2 day", "d + INTERVAL 2 DAY"),
        ("INTERVAL 1 HOUR + d", "INTERVAL 1 HOUR + d"),
        ("CAST(a AS UNSIGNED INT)", "CAST(a AS UNSIGNED)"),
        ("a COLLATE 'latin1_bin' = b", "a COLLATE 'latin1_bin' = b"),
        (
            "GROUP_CONCAT(DISTINCT a, b ORDER BY c SEPARATOR '-')",
            "GROUP_CONCAT(DISTINCT a, b ORDER BY c SEPARATOR '-')",
        ),
    ],
)
def test_forms_of_mariadb_are_read(text: str, written: str) -> None:
    """What is special about a call or an operator is kept, or written in its plain form."""
    assert render(parse_expression(text)) == written


def test_a_typed_literal_stays_a_literal() -> None:
    """A CAST would lose the fraction of a time."""
    tree = parse_expression("TIME'10:00:00.5'")
    assert isinstance(tree, Formula)
    assert render(tree) == "TIME'10:00:00.5'"


def test_spelling_is_kept_beside_the_value() -> None:
    """The value of a literal is what it means, its spelling what the user wrote."""
    tree = parse_expression('"it\'s"')
    assert isinstance(tree, exp.Literal)
    assert (tree.this, tree.meta[SPELLING]) == ("it's", '"it\'s"')
