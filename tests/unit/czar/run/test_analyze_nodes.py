"""Only SELECTs of the query itself are analysed."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import Bug
from skyshard.czar.result.query_progress import Running, SlowStatement
from skyshard.czar.run.analyze_nodes import analysis_statement, analyze_nodes


def slow(statement: str, elapsed_s: float = 0.1, chunks: tuple[int, ...] = (1,)) -> SlowStatement:
    return SlowStatement(chunks, elapsed_s, statement, is_scan=False)


@pytest.mark.parametrize("statement", ["INSERT INTO t SELECT 1", "DELETE FROM t", "(DROP TABLE t)", "", "SET x = 1"])
def test_what_is_no_select_is_not_sent(statement: str) -> None:
    """ANALYZE carries a statement out, also one that writes."""
    with pytest.raises(Bug, match="no SELECT"):
        analysis_statement("", slow(statement))


def test_the_time_of_day_is_that_of_the_query() -> None:
    """So the same rows are read."""
    found = analysis_statement("SET STATEMENT timestamp = 1.5 FOR ", slow("(SELECT 1) UNION ALL (SELECT 2)"))
    assert found == "SET STATEMENT timestamp = 1.5 FOR ANALYZE FORMAT=JSON (SELECT 1) UNION ALL (SELECT 2)"


def test_the_statement_that_took_longest_a_chunk_is_kept() -> None:
    """Node by node; nothing is kept, and nothing asked, where it was not wanted."""
    running = Running("q", slow_statements={})
    for statement in (slow("SELECT 1", 0.2), slow("SELECT 2", 0.3, (1, 2)), slow("SELECT 3", 0.5, (1, 2))):
        running.note("node1", statement)
    assert running.slow_statements == {"node1": slow("SELECT 3", 0.5, (1, 2))}
    unwanted = Running("q")
    unwanted.note("node1", slow("SELECT 1"))
    assert unwanted.slow_statements is None
    assert analyze_nodes(unwanted, {}) == ()
