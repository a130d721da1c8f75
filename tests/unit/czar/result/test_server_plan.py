"""MariaDB's ANALYZE FORMAT=JSON as a tree of steps."""

from __future__ import annotations

from typing import Any

from skyshard.czar.result.server_plan import read_plan


def select(table: str, time_ms: float, rows: int = 10) -> dict[str, Any]:
    return {
        "query_block": {
            "select_id": 1, "r_loops": 1, "r_total_time_ms": time_ms,
            "nested_loop": [
                {
                    "table": {
                        "table_name": table, "access_type": "ALL", "r_loops": 1, "rows": rows, "r_rows": rows,
                        "r_table_time_ms": time_ms, "r_other_time_ms": 0.5, "filtered": 100, "r_filtered": 25,
                        "attached_condition": f"{table}.x > 1",
                    }
                }
            ],
        }
    }  # fmt: skip


def test_a_step_says_access_rows_and_time() -> None:
    """Times of a table are added up, shares are in percent."""
    plan = read_plan("node1", [7], 0.25, "SELECT 1", select("o", 2.0, rows=40))
    ((depth, top), (below, table)) = plan.step.walk()
    assert (depth, below, top.what, top.time_ms) == (0, 1, "select", 2.0)
    assert (table.what, table.access, table.rows_estimated, table.rows_read) == ("table o", "ALL", 40, 40)
    assert (table.kept_estimated, table.kept, table.time_ms) == (100, 25, 2.5)
    assert plan.chunk == 7


def test_rows_of_all_loops_are_added_up() -> None:
    """MariaDB tells the mean of the loops."""
    inner = {"table_name": "s", "access_type": "ref", "key": "PRIMARY", "r_loops": 20, "rows": 2, "r_rows": 3.5}
    plan = read_plan("node1", [7], 0.1, "", {"query_block": {"nested_loop": [{"table": inner}]}})
    (table,) = plan.step.steps
    assert (table.loops, table.rows_estimated, table.rows_read, table.key) == (20, 40, 70, "PRIMARY")


def test_of_several_chunks_the_slowest_is_shown() -> None:
    """The selects of the union stand in the order of the chunks; the raw plan is whole."""
    raw = {"query_block": {"union_result": {"query_specifications": [select("a", 1.0), select("b", 9.0)]}}}
    plan = read_plan("node1", [11, 12], 0.1, "", raw)
    assert plan.chunk == 12
    assert [step.what for _, step in plan.step.walk()] == ["select", "table b"]
    assert plan.raw == raw
    assert "chunk 12, slowest of 2 asked for together" in plan.as_text()


def test_the_union_of_chunks_is_the_outer_one() -> None:
    """A chunk and its overlap are a union of two, too."""
    overlap = {"union_result": {"query_specifications": [select("own", 50.0), select("overlap", 60.0)]}}
    derived = {"table_name": "<derived2>", "materialized": {"query_block": overlap}}
    chunks = [{"query_block": {"r_total_time_ms": time, "nested_loop": [{"table": derived}]}} for time in (2.0, 1.0)]
    raw = {"query_block": {"union_result": {"query_specifications": chunks}}}
    plan = read_plan("node1", [1, 2], 0.1, "", raw)
    assert plan.chunk == 1
    assert [step.what for _, step in plan.step.walk()] == [
        "select", "table <derived2>", "made first", "select", "union", "select", "table own", "select", "table overlap",
    ]  # fmt: skip


def test_sorts_subqueries_and_unread_tables_are_steps() -> None:
    """Whatever the server names; a step that it gives no numbers of shows none."""
    message = {"table": {"message": "Impossible WHERE"}}
    raw = {
        "query_block": {
            "filesort": {"r_loops": 1, "r_total_time_ms": 3, "r_output_rows": 6, "temporary_table": select("o", 1.0)},
            "subqueries": [{"query_block": message}],
            "something-new": {"table": {"table_name": "t"}},
        }
    }
    plan = read_plan("node1", [], 0.1, "", raw)
    assert [step.what for _, step in plan.step.walk()] == [
        "select", "sort", "temporary table", "select", "table o", "subqueries", "select", "table", "something-new",
        "table t",
    ]  # fmt: skip
    assert "a statement over whole tables" in plan.as_text()
    assert "table: Impossible WHERE" in plan.as_text()
