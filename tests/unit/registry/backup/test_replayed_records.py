"""From records to rows: the newest state counts, and what took the place of what."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from skyshard.registry.backup.records import STATE, KeptRecord
from skyshard.registry.backup.registry_rows import schema_of, write_frames
from skyshard.registry.backup.replayed_records import newest, replay
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.records import COMPACTION, DROPPED_ROWS


def rows(table: Any, *given: dict[str, Any]) -> tuple[str, pa.Table]:
    """Rows with the columns that matter; the rest is empty or zero."""
    schema = schema_of(table)
    empty = {"string": "", "int64": 0, "double": 0.0}
    filled = [{field.name: one.get(field.name, empty[str(field.type)]) for field in schema} for one in given]
    return table.name, pa.Table.from_pylist(filled, schema)


def state(sequence: int, *transactions: dict[str, Any], database: str = "x", **more: Any) -> KeptRecord:
    """``more``: rows of further tables."""
    found = [rows(t.databases, {"name": database, "shown": more.pop("shown", database), "changed_s": float(sequence)})]
    found.append(rows(t.transactions, *transactions))
    found += [rows(table, *more.get(table.name, [])) for table in (t.aliases, t.input_files, t.placements)]
    return KeptRecord(database, STATE, sequence, write_frames(found))


def brought(number: int, *targets: tuple[int, str], files: tuple[str, ...] = (), database: str = "x") -> KeptRecord:
    """A replica of each target (chunk, node), a contribution of each file."""
    replicas = [
        {
            "database": database,
            "table": "Object",
            "chunk": chunk,
            "node": node,
            "transaction_id": number,
            "verified_s": 1e9,
        }
        for chunk, node in targets
    ]
    contributions = [{"transaction_id": number, "table": "Object", "part": path, "state": "loaded"} for path in files]
    frames = [rows(t.replicas, *replicas), rows(t.contributions, *contributions)]
    return KeptRecord(database, number, 10 + number, write_frames(frames))


def replicas_of(*records: KeptRecord) -> set[tuple[int, int, str]]:
    """Transaction, chunk and node of each replica that comes of records."""
    found = pa.concat_tables(replay(newest(records)).rows["replicas"]).to_pylist()
    assert len({(one["transaction_id"], one["chunk"], one["node"]) for one in found}) == len(found)
    return {(one["transaction_id"], one["chunk"], one["node"]) for one in found}


def test_only_transactions_of_the_newest_state_count() -> None:
    """An older state, of a node that was away, and a record that no state lists bring nothing."""
    old, new = state(5, {"id": 1}, {"id": 2}), state(9, {"id": 1})
    records = brought(1, (7, "a")), brought(2, (8, "a"))
    assert replicas_of(old, new, *records) == {(1, 7, "a")}
    assert replicas_of(new, old, *records) == {(1, 7, "a")}


def test_replicas_come_back_as_never_verified() -> None:
    """What queries found bad since is in no record."""
    found = pa.concat_tables(replay(newest([state(9, {"id": 1}), brought(1, (7, "a"), (8, "b"))])).rows["replicas"])
    assert found.column("verified_s").to_pylist() == [0.0, 0.0]


def test_a_compaction_takes_the_place_of_earlier_parts() -> None:
    """Of the chunk tables that it merged, not of others, nor of later parts."""
    whole = state(9, {"id": 1}, {"id": 2}, {"id": 3, "plan": COMPACTION}, {"id": 4})
    records = brought(1, (7, "a"), (8, "a")), brought(2, (7, "a")), brought(3, (7, "a")), brought(4, (7, "a"))
    assert replicas_of(whole, *records) == {(1, 8, "a"), (3, 7, "a"), (4, 7, "a")}


def test_a_drop_of_lost_rows_takes_the_place_of_earlier_parts() -> None:
    """It made its chunk tables whole: parts of earlier transactions beside them would be doubled rows."""
    whole = state(9, {"id": 1}, {"id": 2}, {"id": 3, "plan": DROPPED_ROWS}, {"id": 4})
    records = brought(1, (7, "a"), (8, "a")), brought(2, (7, "a")), brought(3, (7, "a")), brought(4, (7, "a"))
    assert replicas_of(whole, *records) == {(1, 8, "a"), (3, 7, "a"), (4, 7, "a")}


def test_replaced_files_are_marked_and_their_tables_left_out() -> None:
    """A transaction that took the place of a file's rows made its chunk tables whole."""
    files = [{"transaction_id": 1, "table": "Object", "path": "old.parq", "replaced_by": 2}]
    files += [{"transaction_id": 1, "table": "Object", "path": "stays.parq"}]
    whole = state(9, {"id": 1}, {"id": 2}, input_files=files)
    records = brought(1, (7, "a"), (8, "a"), files=("old.parq", "stays.parq")), brought(2, (7, "a"))
    assert replicas_of(whole, *records) == {(1, 8, "a"), (2, 7, "a")}
    found = pa.concat_tables(replay(newest((whole, *records))).rows["contributions"]).to_pylist()
    assert {one["part"]: one["state"] for one in found} == {"old.parq": "replaced", "stays.parq": "loaded"}


def test_a_database_that_lacks_a_record_is_left_out_and_named() -> None:
    """Rather than shown without some of its rows."""
    done = replay(newest([state(9, {"id": 1}, {"id": 2}, shown="people"), brought(1, (7, "a"))]))
    assert done.rows == {}
    assert list(done.left_out) == ["people"]
    assert "transaction 2" in done.left_out["people"]
    assert list(replay(newest([brought(1, (7, "a"))])).left_out) == ["x"]


def test_a_dropped_database_stays_dropped() -> None:
    """Its name is known, so that it is not given again; an older state does not bring it back."""
    gone = KeptRecord("x", STATE, 20, write_frames([rows(t.dropped, {"name": "x", "shown": "x"})]), is_gone=True)
    done = replay(newest([state(9, {"id": 1}), gone]))
    assert list(done.rows) == ["dropped"]
    assert done.left_out == {}


def test_names_are_once_each() -> None:
    """An alias that moved is the later one's; of two databases of one name the one that was changed last has it."""
    first = state(5, database="x", shown="same", aliases=[{"name": "latest", "database": "x", "changed_s": 5.0}])
    later = state(9, database="y", shown="same", aliases=[{"name": "latest", "database": "y", "changed_s": 9.0}])
    done = replay(newest([first, later]))
    (aliases,), (databases,) = done.rows["aliases"], done.rows["databases"]
    assert aliases.column("database").to_pylist() == ["y"]
    named = zip(databases.column("name").to_pylist(), databases.column("shown").to_pylist(), strict=True)
    assert dict(named) == {"x": "x", "y": "same"}


def test_chunks_of_a_family_are_placed_once() -> None:
    """Both databases of it say where they are."""
    places = [{"family": "f", "chunk": 7, "rank": rank, "node": node} for rank, node in enumerate("ab")]
    records = [state(5, database="x", placements=places), state(9, database="y", placements=places)]
    (found,) = replay(newest(records)).rows["placements"]
    assert len(found) == 2


def test_places_of_a_family_are_those_of_its_newest_state() -> None:
    """After a move, an older state of another database would have one node twice for a chunk."""

    def places(*nodes: str) -> list[dict[str, object]]:
        return [{"family": "f", "chunk": 7, "rank": rank, "node": node} for rank, node in enumerate(nodes)]

    old, new = state(5, database="y", placements=places("a", "b", "c")), state(9, database="x", placements=places("b"))
    (found,) = replay(newest([old, new])).rows["placements"]
    assert found.select(["rank", "node"]).to_pylist() == [{"rank": 0, "node": "b"}]
