"""Nodes come and go on a private cluster: added, filled, read-only, removed, beside czars that go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.support.stepping import STRIDE, Fuse, Stopped, some_steps
from typer.testing import CliRunner

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.ddl import DUMMY_CHUNK
from skyshard.cli.app import app
from skyshard.cli.terminal.json_outputs import validate_output
from skyshard.cluster import private_cluster
from skyshard.cluster.cluster_folder import ClusterRecord
from skyshard.cluster.folder_mark import write_mark
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.nodes import Nodes
from skyshard.registry.catalog.replicas import Replicas
from skyshard.registry.catalog.replication_index import ReplicationIndex
from skyshard.registry.stored.lifecycle import NodeEvent, NodeState
from skyshard.registry.stored.records import WHOLE
from skyshard.replicate.mend_node import NodeMender
from skyshard.story.read_story import Stories
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
COUNT = "SELECT COUNT(*) AS n, SUM(objectId % 1000) AS total FROM Object WHERE ra > 0"
_numbers = count()


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory, short_folder: Path) -> Iterator[Testbed]:
    """A cluster of two nodes with a catalog."""
    cluster = PrivateCluster(short_folder / f"nodes{next(_numbers)}")
    try:
        cluster.start(2)
        with Testbed(cluster.folder) as testbed:
            testbed.ingest("synth/recipes/mini.yaml")
            yield testbed
    finally:
        cluster.destroy()


def run(testbed: Testbed, *words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, [*words, "--cluster", str(testbed.cluster.folder)])
    if "--json" in words:
        validate_output(" ".join(words[:2]), found.stdout)
    return found.exit_code, found.stdout


def states(testbed: Testbed) -> dict[str, str]:
    return {one["name"]: one["state"] for one in json.loads(run(testbed, "nodes", "list", "--json")[1])}


def holders(testbed: Testbed, database: str, *, whole: bool) -> set[str]:
    rows = testbed.registry.replicas.all(testbed.registry.published.names().stored(database))
    return {one.node for one in rows if (one.chunk == WHOLE) is whole}


def assert_good(testbed: Testbed, *databases: str) -> None:
    for name in databases:
        assert [check for check in testbed.verify(name) if not check.is_good] == []
    assert testbed.replicas.status().is_whole


def test_a_new_node_has_what_every_node_has_and_gets_new_chunks(own: Testbed) -> None:
    """Beside a czar that goes on: it asks the new node without a restart."""
    before = own.query(COUNT, database="mini").table
    code, out = run(own, "nodes", "add", "--json")
    [added] = json.loads(out)
    assert (code, added["node"], added["databases"], added["left"]) == (0, "node3", 1, {})
    assert added["tables"] > 0
    assert states(own) == dict.fromkeys(("node1", "node2", "node3"), "active")
    assert holders(own, "mini", whole=True) == {"node1", "node2", "node3"}
    names = own.wiring.loader("node3").call(NodeLoader.tables, "mini").result()
    assert [name for name in names if name.endswith(str(DUMMY_CHUNK))]
    assert_good(own, "mini")
    own.ingest("synth/recipes/mini.yaml", database="mini2", replicas=3)
    assert holders(own, "mini2", whole=False) == {"node1", "node2", "node3"}
    assert_good(own, "mini", "mini2")
    for node in ("node1", "node2"):
        own.cluster.stop_server(node)
    assert own.query(COUNT, database="mini2").table == before
    own.cluster.start()


def test_a_read_only_node_gets_no_new_chunk_but_rows_of_its_own(own: Testbed, tmp_path: Path) -> None:
    """What is joined by chunk stays together: the second database of the family is on the nodes of the first."""
    run(own, "nodes", "add")
    code, out = run(own, "nodes", "read-only", "node1", "--json")
    assert (code, json.loads(out)) == (0, {"node": "node1", "state": "read-only"})
    held = {one.chunk: one.node for one in own.registry.replicas.all("mini") if one.chunk != WHOLE}
    own.ingest("synth/recipes/mini.yaml", database="beside")
    assert {one.chunk: one.node for one in own.registry.replicas.all("beside") if one.chunk != WHOLE} == held
    sky = tmp_path / "elsewhere.yaml"
    mini = Path("synth/recipes/mini.yaml").read_text()
    sky.write_text(mini.replace("{stripes: 85, substripes: 12,", "{stripes: 60, substripes: 6,"))
    with pytest.raises(UserError, match=r"3 replicas need as many nodes that take new chunks, there are 2; see"):
        own.ingest(sky, database="elsewhere", replicas=3)
    own.ingest(sky, database="elsewhere", replicas=2)
    assert holders(own, "elsewhere", whole=False) == {"node2", "node3"}
    assert_good(own, "mini", "beside", "elsewhere")
    reasons = {one.node: one for one in own.replicas.explain(max(held), "mini").nodes}
    assert (reasons["node1"].state, reasons["node2"].state) == ("read-only", "active")
    assert "it is read-only, no new chunk comes to it" in reasons["node1"].reason
    assert run(own, "nodes", "enable", "node1")[0] == 0
    assert own.registry.nodes.state("node1") is NodeState.ACTIVE


def test_a_node_is_removed_when_it_holds_no_chunk(own: Testbed) -> None:
    """One that holds chunks is refused, with the remedy; a removed one is gone from everywhere, and so is its name."""
    with pytest.raises(UserError, match=r"node2 holds \d+ chunks; run `skyshard replicas drain node2` first"):
        own.node_life.remove("node2")
    assert own.registry.nodes.state("node2") is NodeState.ACTIVE
    before = own.query(COUNT, database="mini").table
    run(own, "nodes", "add")
    own.query(COUNT, database="mini")
    code, out = run(own, "nodes", "remove", "node3", "--json")
    assert (code, json.loads(out)) == (0, {"node": "node3", "state": "removed"})
    assert states(own) == {"node1": "active", "node2": "active"}
    assert list(own.cluster.node_names) == ["node1", "node2"]
    assert not (own.cluster.folder / "servers" / "node3").exists()
    assert own.query(COUNT, database="mini").table == before
    assert_good(own, "mini")
    with pytest.raises(UserError, match="no node 'node3'; the cluster has node1, node2"):
        own.node_life.read_only("node3")
    own.node_life.remove("node3")  # it was, so there is nothing to do
    story = Stories(own.cluster.folder).node("node3")
    decided = [event.text for event in story.events if event.event == "node_state"]
    assert decided == [f"is {state} from now on" for state in ("joining", "active", "draining", "removed")]
    assert story.facts["decided"] == "removed"
    own.cluster.stop()
    own.cluster.start()
    assert [one.node for one in own.node_life.add()] == ["node4"]
    assert list(own.cluster.node_names) == ["node1", "node2", "node4"]
    assert own.backup.rebuild(force=True).after.differences == []  # nodes have recorded what the new one holds
    own.replicas.verify()
    own.node_life.remove("node4", keeps_data=True)
    assert (own.cluster.folder / "servers" / "node4" / "data").is_dir()


def test_nodes_that_are_down_are_seen_and_no_more(own: Testbed) -> None:
    """Two of three at once; nothing is decided of them, and a node that comes back has had an outage."""
    run(own, "nodes", "add")
    for node in ("node1", "node2"):
        own.cluster.kill_server(node)
    listed = {one.name: one for one in own.node_life.listed()}
    assert [name for name, one in listed.items() if not one.answers] == ["node1", "node2"]
    assert all(one.state is NodeState.ACTIVE for one in listed.values())
    assert listed["node1"].down_s > 0
    assert "down for" in run(own, "nodes", "list")[1]
    chunk = max(one.chunk for one in own.registry.replicas.all("mini"))
    reasons = {one.node: one for one in own.replicas.explain(chunk, "mini").nodes}
    assert "; it has not answered since " in reasons["node1"].reason
    assert (reasons["node1"].down_s, reasons["node3"].down_s) == (listed["node1"].down_s, 0.0)
    with pytest.raises(ClusterError, match="node 'node1' does not answer"):
        own.node_life.enable("node1")
    own.cluster.start()
    for _ in range(2):
        listed = {one.name: one for one in own.node_life.listed()}
    assert [(one.down_s, one.outages) for one in listed.values()] == [(0.0, 1), (0.0, 1), (0.0, 0)]
    told = [event.event for event in Stories(own.cluster.folder).node("node1").events]
    assert told.index("server_killed") < told.index("outage_begun") < told.index("outage_ended")
    assert_good(own, "mini")


def test_what_a_drain_left_of_a_node_is_removed(own: Testbed) -> None:
    """A node without chunks whose places are still known: they are given to nobody, and ranks have no gaps."""
    own.node_life.add()
    own.registry.placements.add("made_up", {7: ("node3", "node1"), 8: ("node2", "node3", "node1")})
    for event in (NodeEvent.DRAIN, NodeEvent.DRAINED):
        own.registry.nodes.set("node3", event)
    assert own.wiring.site().nodes.keys() == {"node1", "node2"}
    own.node_life.remove("node3")
    assert own.registry.placements.of_family("made_up") == {7: ("node1",), 8: ("node2", "node1")}


def test_a_node_in_another_data_folder_is_not_asked(own: Testbed) -> None:
    """Named in one line before a row of it is read, by queries, ingests and repairs; an emptied one is filled again."""
    marks = own.registry.nodes.marks()
    assert set(marks) == {"node1", "node2"}
    before = own.query(COUNT, database="mini").table
    with connect(own.cluster.endpoint("node2"), Account.ADMIN) as admin:
        write_mark(admin, "that of another one")
        with Testbed(own.cluster.folder) as other:
            with pytest.raises(ClusterError, match=r"node 'node2' runs in another data folder: that of") as found:
                other.query(COUNT, database="mini")
            assert "\n" not in str(found.value)
            with pytest.raises(ClusterError, match="node 'node2' runs in another data folder"):
                other.ingest("synth/recipes/mini.yaml", database="more")
            assert "more" not in other.registry.published.databases()
            with pytest.raises(ClusterError, match="node 'node2' runs in another data folder"):
                other.replicas.repair()
        write_mark(admin, marks["node2"])
        assert own.query(COUNT, database="mini").table == before
        own.ingest("synth/recipes/mini.yaml", database="twice", replicas=2)
        for name in ("skyshard_node", "mini", "twice"):
            admin.execute(f"DROP DATABASE {name}")
    with Testbed(own.cluster.folder) as other:
        assert other.query(COUNT, database="twice").table == before
        other.replicas.verify("twice")
        other.replicas.repair("twice")
        assert other.registry.nodes.marks()["node2"] != marks["node2"]
        assert [check for check in other.verify("twice") if not check.is_good] == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", ["add", "remove"])
def test_killed_anywhere_it_is_ended_by_running_it_again(
    own: Testbed, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers are right in between; in the end the node has all that it has to have, or is gone without a trace."""
    before = own.query(COUNT, database="mini").table

    def take(steps: int) -> int:
        """Add a node, and remove it; what is tried is stopped after so many steps, then done again."""
        assert isinstance(own.cluster, PrivateCluster)
        fuse = Fuse(steps)
        name = own.node_life.add()[0].node if what == "remove" else own.cluster.next_node
        with monkeypatch.context() as patch, suppress(Stopped):
            for owner, called in STEPPED:
                patch.setattr(owner, called, fuse.around(getattr(owner, called)))
            if what == "add":
                own.node_life.add()
            else:
                own.node_life.remove(name)
        with Testbed(own.cluster.folder) as other:
            assert other.query(COUNT, database="mini").table == before
            if what == "add":
                if other.registry.nodes.state(name) is not NodeState.ACTIVE or name not in other.nodes:
                    assert [one.node for one in other.node_life.add()] == [name]
                assert holders(other, "mini", whole=True) == {"node1", "node2", name}
                assert_good(other, "mini")
            other.node_life.remove(name)
            assert other.nodes == other.cluster.node_names == ("node1", "node2")
            assert not (other.cluster.folder / "servers" / name).exists()
            assert other.replicas.status().is_whole
        return fuse.burnt

    total = take(0)
    assert total >= 8
    for steps in some_steps(total, max(1, STRIDE // 3)):
        take(steps)


STEPPED: tuple[tuple[Any, str], ...] = (
    (Nodes, "join"), (Nodes, "set"), (Nodes, "set_mark"), (Nodes, "remove"), (ClusterRecord, "write"),
    (private_cluster, "initialise_servers"), (private_cluster, "start_servers"), (private_cluster, "stop_servers"),
    (NodeMender, "prepare"), (NodeMender, "mend"), (Replicas, "add"), (ReplicationIndex, "move"),
)  # fmt: skip
"""What adding and removing have done, one step after another."""
