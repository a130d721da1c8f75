"""Variables of servers as pages show them."""

from __future__ import annotations

from skyshard.bench.record.server_variables import ChangedVariable, ServerVariables, uneven_nodes, variable_rows


def server(**values: str) -> ServerVariables:
    changed = {name: ChangedVariable(value=value, default="D") for name, value in values.items()}
    return ServerVariables(version="10.11", variables=changed)


def test_a_page_has_a_row_for_each_role_and_variable() -> None:
    """Nodes that are alike share one; the built-in default stands beside it."""
    servers = {"czar": server(a="1"), "node1": server(a="1", b="2"), "node2": server(a="1")}
    assert variable_rows(servers) == [
        ("czar a", "1; built in: D"),
        ("nodes a", "1; built in: D"),
        ("nodes b", "2 on node1, D (default) on node2; built in: D"),
    ]
    assert uneven_nodes(servers) == ["b 2 on node1, D (default) on node2"]
    assert variable_rows({}) == []


def test_of_many_switches_only_those_that_were_changed_are_shown() -> None:
    """The optimizer has three dozen."""
    switched = ChangedVariable(
        value="mrr=on,semijoin=on,rowid_filter=off", default="mrr=off,semijoin=on,rowid_filter=on"
    )
    servers = {
        "node1": ServerVariables(version="", variables={"optimizer_switch": switched}),
        "node2": ServerVariables(version="", variables={}),
    }
    assert variable_rows(servers) == [("nodes optimizer_switch", "mrr=on,rowid_filter=off on node1, default on node2")]
