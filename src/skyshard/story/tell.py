"""Makes stories of rows of the registry and of events. Values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skyshard.basics.readable import human_bytes, seconds
from skyshard.log.event_files import KeptEvent
from skyshard.log.events import KINDS, NODE_STATE, Subject, bounded
from skyshard.log.line_output import utc
from skyshard.registry.history.story_rows import StoryRow
from skyshard.registry.stored.lifecycle import QueryState
from skyshard.story.timeline import Story, StoryEvent, merged, told

_TRANSACTION_ENDS = {"finished": "published"}
_SAME = {"compaction_begun": "begun"}
"""Events of the files that tell what the registry tells under another name."""


@dataclass(frozen=True, slots=True)
class RegistryRows:
    """What the registry has of one transaction: its row, and sums by table and by node."""

    row: StoryRow | None = None
    tables: Sequence[StoryRow] = ()
    nodes: Sequence[StoryRow] = ()


@dataclass(frozen=True, slots=True)
class NodeRows:
    """What the registry has of one node."""

    row: StoryRow | None = None
    outages: Sequence[StoryRow] = ()
    made: Sequence[StoryRow] = ()
    """Chunk tables that transactions made on it."""
    query_numbers: Mapping[str, int] = field(default_factory=dict)
    """Of queries that events name, by their names."""


def query_story(row: StoryRow, kept: Sequence[KeptEvent], notes: Sequence[str] = ()) -> Story:
    """A query's row of the history and its events."""
    begun_s, ended_s = row["begun_s"] or row["submitted_s"], row["ended_s"]
    facts = {
        name: row[name]
        for name in ("state", "database", "kind", "lane", "chunks", "chunks_done", "rows", "bytes", "column_bytes")
    }
    facts |= {"coverage": row["coverage"], "elapsed_s": ended_s - begun_s if ended_s else None, "error": row["error"]}
    facts["statement"] = row["statement"]
    return Story("query", str(row["id"]), facts, merged(_query_events(row), map(told, kept)), notes)


def _query_events(row: StoryRow) -> list[StoryEvent]:
    """Submitted, begun, ended: as the history has it."""
    verb = "submitted" if row["is_async"] else "asked"
    events = [StoryEvent(row["submitted_s"], verb, f"{verb}: {bounded(row['statement'])}", "registry")]
    if row["is_async"] and row["begun_s"]:
        text = f"begun by process {row['process']}"
        events.append(StoryEvent(row["begun_s"], "query_begun", text, "registry", row["process"]))
    if not row["ended_s"]:
        return events
    if row["state"] == QueryState.FAILED:
        text, level = f"failed: {bounded(row['error'])}", "warning"
    else:
        size = f"{row['rows']:,} rows, {human_bytes(row['bytes'])} from nodes"
        size += f", {human_bytes(row['column_bytes'])} of columns" * bool(row["column_bytes"])
        text, level = f"{row['state']}: {size}, {row['chunks_done']} of {row['chunks']} chunks", "info"
    return [*events, StoryEvent(row["ended_s"], f"query_{row['state']}", text, "registry", level=level)]


def transaction_story(number: int, found: RegistryRows, kept: Sequence[KeptEvent], notes: Sequence[str] = ()) -> Story:
    """What the registry has of a transaction and its events; of a forgotten one the events alone."""
    row = found.row
    if row is None:
        facts: StoryRow = {"state": "unknown", "database": next((one.fields["database"] for one in kept), "")}
        notes = notes or ("the registry no longer has it: it was undone together with its database",)
    else:
        facts = {name: row[name] for name in ("state", "database", "source", "attempt", "error")}
        facts["elapsed_s"] = row["ended_s"] - row["begun_s"] if row["ended_s"] else None
        facts["stages_s"] = {name: round(took, 3) for name, took in (row["report"] or {}).get("stages_s", {}).items()}
    facts["tables"] = [_counted(one, "table", ("slices", "rows", "orphans", "chunks")) for one in found.tables]
    facts["nodes"] = [_counted(one, "node", ("tables", "rows", "bytes")) for one in found.nodes]
    events = _transaction_events(row) if row is not None else []
    return Story("transaction", str(number), facts, merged(events, map(told, kept), same=_SAME), notes)


def _transaction_events(row: StoryRow) -> list[StoryEvent]:
    """Begun and ended: as the registry has it."""
    events = [StoryEvent(row["begun_s"], "begun", f"begun from {bounded(row['source'])}", "registry")]
    if row["ended_s"]:
        name = _TRANSACTION_ENDS.get(row["state"], str(row["state"]))
        text = f"{name}: {bounded(row['error'])}" if row["error"] else name
        events.append(StoryEvent(row["ended_s"], name, text, "registry"))
    return events


def _counted(row: Mapping[str, Any], name: str, counts: Sequence[str]) -> StoryRow:
    """A name and its sums, which SQL gives as DECIMAL, as numbers of JSON."""
    took = {"elapsed_s": round(float(row["elapsed_s"] or 0.0), 3)} if "elapsed_s" in row else {}
    return {name: row[name], **{count: int(row[count] or 0) for count in counts}, **took}


def node_story(
    name: str, facts: Mapping[str, Any], found: NodeRows, kept: Sequence[KeptEvent], notes: Sequence[str] = ()
) -> Story:
    """The events of a node: what was decided of it and seen of it, and what transactions made on it."""
    logged = {one.fields.get("transaction") for one in kept if one.event == "tables_loaded"}
    events = [_made(one) for one in found.made if one["transaction"] not in logged]
    events += [*_decided(found.row), *(event for one in found.outages for event in _outage(one))]
    told_of = (told(one, _named(one, found.query_numbers)) for one in kept)
    return Story("node", name, {**facts, **_node_facts(found)}, merged(events, told_of), notes)


def _node_facts(found: NodeRows) -> StoryRow:
    """What was decided of a node, and since when it does not answer; nothing of one without a row."""
    if found.row is None:
        return {}
    down = {"down_since": utc(found.row["down_s"])} if found.row["down_s"] else {}
    return {"decided": str(found.row["state"]), **down, "outages": len(found.outages)}


def _decided(row: StoryRow | None) -> list[StoryEvent]:
    """The last decision about a node, for clusters whose log does not have it; none where nothing was decided."""
    if row is None or row["changed_s"] == row["added_s"]:
        return []
    return [StoryEvent(row["changed_s"], NODE_STATE.name, NODE_STATE.sentence({"state": row["state"]}), "registry")]


def _outage(row: StoryRow) -> list[StoryEvent]:
    """Seen not to answer, and to answer again."""
    began_s, ended_s = float(row["began_s"]), row["ended_s"]
    events = [StoryEvent(began_s, "outage_begun", "does not answer", "registry", level="warning")]
    if ended_s is not None:
        text = f"answers again, or was started anew, after {seconds(float(ended_s) - began_s)}"
        events.append(StoryEvent(float(ended_s), "outage_ended", text, "registry"))
    return events


def _made(row: StoryRow) -> StoryEvent:
    """Chunk tables of one transaction: the registry has no time of its own for them, so that of the transaction."""
    size = f"{int(row['tables'])} chunk tables with {int(row['rows']):,} rows, {human_bytes(int(row['bytes']))}"
    text = f"transaction {row['transaction']} of {row['database']}: {size} made on {row['node']}"
    return StoryEvent(row["ended_s"] or row["begun_s"], "tables_made", text, "registry")


def is_about_node(kept: KeptEvent, name: str) -> bool:
    """True for a node's own events, and for those of queries and transactions that name it."""
    return kept.fields.get("node") == name or name in str(kept.fields.get("nodes", "")).split(", ")


def _named(kept: KeptEvent, numbers: Mapping[str, int]) -> str:
    """The text of an event with the query or the transaction that it is about."""
    kind, fields = KINDS.get(kept.event), kept.fields
    if kind is None or kind.subject is Subject.NODE:
        return kept.text
    if kind.subject is Subject.QUERY:
        query = str(fields["query"])
        return f"query {numbers.get(query, query)}: {kept.text}"
    return f"transaction {fields['transaction']} of {fields['database']}: {kept.text}"
