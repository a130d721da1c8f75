"""From the records that nodes keep to rows of the registry's tables. No I/O.

Rules: of a database the newest state counts, whichever node has it, and of the transactions only those that it lists.
A transaction that made chunk tables whole (a compaction, a replacement, a drop of lost rows) takes the place of what
earlier ones brought to them. Chunks of a family are where its newest state says. A database of whose transactions one
has no record is left out as a whole, and named: it would lack rows. Replicas come back as never verified: what queries
have found bad since a record was written is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.registry.backup.records import OF_TRANSACTION, STATE, KeptRecord
from skyshard.registry.backup.registry_rows import read_frames
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import ContributionState
from skyshard.registry.stored.records import COMPACTION, DROPPED_ROWS

_TARGET = ("table", "chunk", "is_overlap")


@dataclass(slots=True)
class Replayed:
    """Rows by table, and what records do not tell."""

    rows: dict[str, list[pa.Table]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """Databases by what people call them, and why."""

    states: list[str] = field(default_factory=list)
    """The stored names of the databases whose rows are there."""

    def add(self, table: str, rows: pa.Table) -> None:
        self.rows.setdefault(table, []).append(rows)


def newest(records: Iterable[KeptRecord]) -> dict[tuple[str, int], KeptRecord]:
    """Of each database and number the record with the highest sequence."""
    found: dict[tuple[str, int], KeptRecord] = {}
    for record in records:
        key = (record.database, record.number)
        if key not in found or found[key].sequence < record.sequence:
            found[key] = record
    return found


def replay(records: Mapping[tuple[str, int], KeptRecord]) -> Replayed:
    """The rows that the records say, of all databases."""
    done = Replayed()
    for database, number in sorted(records):
        if number == STATE:
            _replay_database(database, records, done)
    if t.aliases.name in done.rows:
        done.rows[t.aliases.name] = [_last_changed(pa.concat_tables(done.rows[t.aliases.name]))]
    done.rows |= _placed(records, done.states)
    if t.databases.name in done.rows:
        done.rows[t.databases.name] = [_with_names_of_their_own(pa.concat_tables(done.rows[t.databases.name]))]
    for database, number in records:
        if (database, STATE) not in records:
            done.left_out[database] = f"of its state there is no record, of transaction {number} there is"
    return done


def _replay_database(database: str, records: Mapping[tuple[str, int], KeptRecord], done: Replayed) -> None:
    state = read_frames(records[database, STATE].content)
    if t.dropped.name in state:
        done.add(t.dropped.name, state[t.dropped.name])
        return
    numbers = sorted(state[t.transactions.name].column("id").to_pylist())
    if missing := [number for number in numbers if (database, number) not in records]:
        shown = state[t.databases.name].column("shown").to_pylist()[0]
        done.left_out[shown] = f"no node keeps the record of its transaction {missing[0]}"
        return
    done.states.append(database)
    for name, rows in state.items():
        if name != t.placements.name:
            done.add(name, rows)
    whole = _whole(state)
    taken = pa.array([], pa.string())
    files = state[t.input_files.name]
    replaced = _keys(files.filter(pc.not_equal(files.column("replaced_by"), 0)), ("transaction_id", "table", "path"))
    for number in reversed(numbers):
        brought = read_frames(records[database, number].content)
        replicas, contributions = (brought[table.name] for table in OF_TRANSACTION)
        targets = _keys(replicas, _TARGET)
        done.add(t.replicas.name, _unverified(replicas.filter(pc.invert(pc.is_in(targets, value_set=taken)))))
        done.add(t.contributions.name, _with_replaced(contributions, replaced))
        if number in whole:
            taken = pa.concat_arrays([taken, pc.unique(targets)])


def _whole(state: Mapping[str, pa.Table]) -> set[int]:
    """The transactions that made whole chunk tables."""
    transactions = state[t.transactions.name]
    is_whole = pc.is_in(transactions.column("plan"), value_set=pa.array([COMPACTION, DROPPED_ROWS]))
    merged = transactions.filter(is_whole).column("id").to_pylist()
    return {*merged, *state[t.input_files.name].column("replaced_by").to_pylist()} - {0}


def _keys(rows: pa.Table, columns: Iterable[str]) -> pa.Array:
    """A text of some columns for each row."""
    texts = [pc.cast(rows.column(name), pa.string()) for name in columns]
    joined = pc.binary_join_element_wise(*texts, "\n")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _with_replaced(contributions: pa.Table, replaced: pa.Array) -> pa.Table:
    """Contributions of files whose rows were replaced since say so."""
    is_replaced = pc.is_in(_keys(contributions, ("transaction_id", "table", "part")), value_set=replaced)
    state = pc.if_else(is_replaced, str(ContributionState.REPLACED), contributions.column("state"))
    place = contributions.schema.get_field_index("state")
    return contributions.set_column(place, "state", state)


def _unverified(replicas: pa.Table) -> pa.Table:
    """Replicas that nobody has read since they were recorded."""
    never = pa.array(np.zeros(len(replicas)), replicas.schema.field("verified_s").type)
    return replicas.set_column(replicas.schema.get_field_index("verified_s"), "verified_s", never)


def _last_changed(aliases: pa.Table) -> pa.Table:
    """Aliases that several states have, once each: as they were changed last."""
    rows = aliases.sort_by([("name", "ascending"), ("changed_s", "descending")])
    places = pa.table({"name": rows.column("name"), "place": pa.array(np.arange(len(rows)))})
    first = places.group_by("name").aggregate([("place", "min")]).column("place_min")
    return rows.take(first)


def _placed(records: Mapping[tuple[str, int], KeptRecord], databases: Iterable[str]) -> dict[str, list[pa.Table]]:
    """The places of each family's chunks as the newest state of one of its databases has them, all of one age."""
    found: dict[str, pa.Table] = {}
    for record in sorted((records[database, STATE] for database in databases), key=lambda one: one.sequence):
        rows = read_frames(record.content)[t.placements.name]
        found |= dict.fromkeys(pc.unique(rows.column("family")).to_pylist(), rows)
    return {t.placements.name: list(found.values())} if found else {}


def _with_names_of_their_own(databases: pa.Table) -> pa.Table:
    """Of several databases of one shown name the one that was changed last keeps it; others get their stored name."""
    columns = (databases.column(name).to_pylist() for name in ("changed_s", "name", "shown"))
    taken: dict[str, str] = {}
    for _, stored, shown in sorted(zip(*columns, strict=True), reverse=True):
        taken.setdefault(shown, stored)
    owners = {stored: shown for shown, stored in taken.items()}
    shown = [owners.get(stored, stored) for stored in databases.column("name").to_pylist()]
    return databases.set_column(databases.schema.get_field_index("shown"), "shown", pa.array(shown, pa.string()))
