"""Lifecycles as tables: what may follow what, for databases, transactions, contributions and replicas.

Pure. ``follow`` is the one look-up; a forbidden step is a ``ClusterError`` that names state, event and what is
allowed. docs/reference/lifecycles.md draws these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from skyshard.errors import ClusterError


class DatabaseState(StrEnum):
    INGESTING = "ingesting"
    PUBLISHED = "published"


class TransactionState(StrEnum):
    STARTED = "started"
    COMMITTING = "committing"
    FINISHED = "finished"
    ABORTING = "aborting"
    ABORTED = "aborted"


class ContributionState(StrEnum):
    PARTITIONED = "partitioned"
    LOADED = "loaded"
    CANCELLED = "cancelled"


class ReplicaState(StrEnum):
    BUILDING = "building"
    GOOD = "good"
    BAD = "bad"


class Event(StrEnum):
    BUILT = "built"
    BROKEN = "broken"
    COMMIT = "commit"
    COMMITTED = "committed"
    ABORT = "abort"
    ABORTED = "aborted"
    REBUILD = "rebuild"


State = DatabaseState | TransactionState | ContributionState | ReplicaState

NEXT: Mapping[State, Mapping[Event, State]] = {
    DatabaseState.INGESTING: {Event.COMMITTED: DatabaseState.PUBLISHED},
    DatabaseState.PUBLISHED: {Event.COMMITTED: DatabaseState.PUBLISHED},
    TransactionState.STARTED: {Event.COMMIT: TransactionState.COMMITTING, Event.ABORT: TransactionState.ABORTING},
    TransactionState.COMMITTING: {
        Event.COMMITTED: TransactionState.FINISHED,
        Event.ABORT: TransactionState.ABORTING,
        Event.COMMIT: TransactionState.COMMITTING,
    },
    TransactionState.ABORTING: {Event.ABORTED: TransactionState.ABORTED, Event.ABORT: TransactionState.ABORTING},
    TransactionState.FINISHED: {},
    TransactionState.ABORTED: {},
    ContributionState.PARTITIONED: {
        Event.BUILT: ContributionState.LOADED,
        Event.ABORT: ContributionState.CANCELLED,
    },
    ContributionState.LOADED: {Event.BUILT: ContributionState.LOADED, Event.ABORT: ContributionState.CANCELLED},
    ContributionState.CANCELLED: {},
    ReplicaState.BUILDING: {Event.BUILT: ReplicaState.GOOD, Event.REBUILD: ReplicaState.BUILDING},
    ReplicaState.GOOD: {Event.BROKEN: ReplicaState.BAD, Event.REBUILD: ReplicaState.BUILDING},
    ReplicaState.BAD: {Event.REBUILD: ReplicaState.BUILDING},
}


def follow(state: State, event: Event) -> State:
    """The state after an event.

    Raises:
        ClusterError: the event is not allowed in this state.

    >>> follow(TransactionState.STARTED, Event.COMMIT)
    <TransactionState.COMMITTING: 'committing'>
    """
    try:
        return NEXT[state][event]
    except KeyError:
        allowed = ", ".join(sorted(NEXT[state])) or "nothing"
        kind = type(state).__name__.removesuffix("State").lower()
        raise ClusterError(
            f"a {kind} in state '{state}' cannot take '{event}'", remedy=f"it allows {allowed}"
        ) from None


def diagram(kind: type[StrEnum]) -> str:
    """One lifecycle as a Mermaid state diagram; docs/reference/lifecycles.md holds it, and a test compares."""
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(kind))}"]
    for state, events in NEXT.items():
        if isinstance(state, kind):
            lines += [f"    {state} --> {after}: {event}" for event, after in events.items()]
            lines += [] if events else [f"    {state} --> [*]"]
    return "\n".join(lines)
