"""Batches of a scrub: each chunk table once, with all of its parts, the oldest first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.stored.lifecycle import ReplicaState
from skyshard.registry.stored.records import Replica
from skyshard.replicate.scrub_batches import BATCH_BYTES, BATCH_TABLES, batches_of


def known(
    chunk: int, verified_s: float, *, table: str = "Object", part: int = 0, size: int = 100, state: str = "good"
) -> KnownReplica:
    replica = Replica(table, chunk, False, "node1", 10, size, "10:0", part, ReplicaState(state))
    return KnownReplica(replica, part or 1, verified_s)


def test_a_part_that_was_verified_since_is_read_with_an_older_one_of_its_table() -> None:
    """The list that shows both is held against both."""
    replicas = [known(7, 1.0), known(8, 5.0), known(7, 9.0, part=3)]
    (batch,) = batches_of(replicas, before_s=4.0)
    assert batch.names == ("Object_7", "Object_7_p3")
    assert [(one.name, one.parts, one.rows) for one in batch.shown] == [("Object_7_g3", batch.names, 20)]


def test_a_replica_that_is_being_made_is_left_out() -> None:
    """Its rows are not there yet, which is no fault."""
    assert list(batches_of([known(7, 1.0, state="building")], before_s=4.0)) == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, BATCH_BYTES)), max_size=200))
def test_batches_have_one_kind_and_are_bounded_and_leave_nothing_out(tables: list[tuple[str, int]]) -> None:
    """Each replica is in one batch; only a table alone may be larger than a batch."""
    replicas = [known(chunk, 1.0, table=name, size=size) for chunk, (name, size) in enumerate(tables)]
    batches = list(batches_of(replicas, before_s=2.0))
    assert [one for batch in batches for one in batch.known] == replicas
    for batch in batches:
        assert {one.replica.table for one in batch.known} == {batch.table}
        assert len(batch.known) <= BATCH_TABLES
        assert batch.bytes <= BATCH_BYTES or len(batch.known) == 1
