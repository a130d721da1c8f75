"""Which node of a host makes a table, and which ones copy it."""

from __future__ import annotations

from dataclasses import replace

from skyshard.catalog.schema import Column, Table
from skyshard.ingest.on_nodes.copied_tables import CopiedTables, Queues
from skyshard.node.messages import BuildOrder, BuiltTable, BundleSlice, Loader, MadeFiles, TableBuild
from skyshard.rowimage.sqltype import parse_type

TABLE = Table("t", (Column("i", parse_type("int")),))
SLICES = (BundleSlice("own", 0, 3, is_own=True), BundleSlice("bundle", 8, 2))
NODES_OF = {7: ("b", "a"), 8: ("a", "b"), 9: ("c",)}
FILES = MadeFiles("/data/t_7.MYD", "1", "2")


def build(chunk: int, rows: int = 5, merged: tuple[str, ...] = ()) -> TableBuild:
    return TableBuild(f"t_{chunk}", "t", chunk, False, 0, "", SLICES, rows, "", merged)


def queues(*builds: TableBuild, loader: Loader = Loader.IMAGE, engine: str = "MyISAM") -> Queues:
    """What all nodes of the chunks lack, an order each."""
    return {
        node: [BuildOrder("sky", TABLE, loader, mine, engine)]
        for node in "abc"
        if (mine := tuple(one for one in builds if node in NODES_OF[one.chunk]))
    }


def copied(given: Queues) -> CopiedTables:
    return CopiedTables(given, lambda chunk, _: NODES_OF[chunk][0])


def names(orders: Queues) -> dict[str, list[str]]:
    return {node: [one.name for order in mine for one in order.builds] for node, mine in orders.items()}


def test_only_the_first_node_makes_a_table() -> None:
    """The other one waits for it, and gets its files with the slices, of which none may become its data file."""
    made = copied(queues(build(7), build(8), build(9)))
    assert names(made.queues) == {"a": ["t_8"], "b": ["t_7"], "c": ["t_9"]}
    (order,) = made.queues["b"]
    ((other, (late,)),) = made.after("b", order, [BuiltTable("t_7", 5, 40, "", FILES)]).items()
    (waited,) = late.builds
    assert (other, late.database, late.table, waited.name) == ("a", "sky", TABLE, "t_7")
    assert waited.made == FILES
    assert [piece.is_own for piece in waited.slices] == [False, False]
    assert waited.slices == tuple(replace(piece, is_own=False) for piece in SLICES)
    assert made.after("b", order, [BuiltTable("t_7", 5, 40, "", FILES)]) == {}


def test_a_table_that_is_there_on_its_first_node_is_made_of_its_slices() -> None:
    """After an interruption: of the files that the first node made nothing is known, and they are its own."""
    given = queues(build(7))
    made = copied({"a": given["a"], "b": []})
    assert names(made.queues) == {"a": ["t_7"], "b": []}
    ((one,),) = (order.builds for order in made.queues["a"])
    assert [piece.is_own for piece in one.slices] == [False, False]


def test_what_cannot_be_copied_every_node_makes() -> None:
    """Tables without rows, such as merge earlier ones, of other engines or by LOAD DATA; one node may take a file."""
    for given in (
        queues(build(8, rows=0)),
        queues(build(8, merged=("t_8_p1",))),
        queues(build(8), engine="Aria"),
        queues(build(8), loader=Loader.LOAD_DATA),
    ):
        made = copied(given)
        assert names(made.queues) == {"a": ["t_8"], "b": ["t_8"]}
        own = {node: mine[0].builds[0].slices[0].is_own for node, mine in made.queues.items()}
        assert own == {"a": True, "b": False}


def test_nodes_of_different_hosts_make_their_tables_themselves() -> None:
    """Each is the first of its host, and has files of its own there."""
    given = queues(build(7), build(8))
    made = CopiedTables(given, lambda _, node: node)
    assert made.queues == given
