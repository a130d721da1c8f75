"""Lifecycles as tables: what may follow what, for databases, transactions, contributions, replicas and queries.

No I/O. ``follow`` looks a step up, ``steps`` all steps of an event; a forbidden step is a ``ClusterError`` that names
state, event and what is allowed. docs/reference/lifecycles.md draws these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from skyshard.basics.errors import ClusterError


class DatabaseState(StrEnum):
    INGESTING = "ingesting"
    PUBLISHED = "published"
    DROPPING = "dropping"
    """No query sees it any more; what is left of it on the servers is being removed."""


class TransactionState(StrEnum):
    STARTED = "started"
    COMMITTING = "committing"
    FINISHED = "finished"
    ABORTING = "aborting"
    ABORTED = "aborted"


class ContributionState(StrEnum):
    PARTITIONED = "partitioned"
    LOADED = "loaded"
    REPLACED = "replaced"
    CANCELLED = "cancelled"


class ReplicaState(StrEnum):
    """What a node holds of a chunk table.

    Ingest records replicas when they are good. Nothing sets ``BUILDING`` and ``BAD`` yet: they are kept, in the
    registry's format and here, for the repair of replicas.
    """

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
    DROP = "drop"
    REBUILD = "rebuild"
    REPLACE = "replace"


class QueryState(StrEnum):
    QUEUED = "queued"
    EXECUTING = "executing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class QueryEvent(StrEnum):
    BEGIN = "begin"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    EXPIRE = "expire"


State = DatabaseState | TransactionState | ContributionState | ReplicaState | QueryState
LifecycleEvent = Event | QueryEvent

NEXT: Mapping[type[State], Mapping[State, Mapping[LifecycleEvent, State]]] = {
    DatabaseState: {
        DatabaseState.INGESTING: {Event.COMMITTED: DatabaseState.PUBLISHED},
        DatabaseState.PUBLISHED: {Event.COMMITTED: DatabaseState.PUBLISHED, Event.DROP: DatabaseState.DROPPING},
        DatabaseState.DROPPING: {},
    },
    TransactionState: {
        TransactionState.STARTED: {Event.COMMIT: TransactionState.COMMITTING, Event.ABORT: TransactionState.ABORTING},
        TransactionState.COMMITTING: {
            Event.COMMITTED: TransactionState.FINISHED,
            Event.ABORT: TransactionState.ABORTING,
            Event.COMMIT: TransactionState.COMMITTING,
        },
        TransactionState.ABORTING: {Event.ABORTED: TransactionState.ABORTED, Event.ABORT: TransactionState.ABORTING},
        TransactionState.FINISHED: {},
        TransactionState.ABORTED: {},
    },
    ContributionState: {
        ContributionState.PARTITIONED: {
            Event.BUILT: ContributionState.LOADED,
            Event.ABORT: ContributionState.CANCELLED,
        },
        ContributionState.LOADED: {
            Event.BUILT: ContributionState.LOADED,
            Event.REPLACE: ContributionState.REPLACED,
            Event.ABORT: ContributionState.CANCELLED,
        },
        ContributionState.REPLACED: {},
        ContributionState.CANCELLED: {},
    },
    ReplicaState: {
        ReplicaState.BUILDING: {Event.BUILT: ReplicaState.GOOD, Event.REBUILD: ReplicaState.BUILDING},
        ReplicaState.GOOD: {Event.BROKEN: ReplicaState.BAD, Event.REBUILD: ReplicaState.BUILDING},
        ReplicaState.BAD: {Event.REBUILD: ReplicaState.BUILDING},
    },
    QueryState: {
        QueryState.QUEUED: {
            QueryEvent.BEGIN: QueryState.EXECUTING,
            QueryEvent.FAIL: QueryState.FAILED,
            QueryEvent.CANCEL: QueryState.CANCELLED,
        },
        QueryState.EXECUTING: {
            QueryEvent.COMPLETE: QueryState.COMPLETED,
            QueryEvent.FAIL: QueryState.FAILED,
            QueryEvent.CANCEL: QueryState.CANCELLED,
        },
        QueryState.COMPLETED: {QueryEvent.EXPIRE: QueryState.EXPIRED},
        QueryState.FAILED: {},
        QueryState.CANCELLED: {},
        QueryState.EXPIRED: {},
    },
}
"""A table for each kind: states of two kinds may have one name, and are then equal."""


def follow(state: State, event: LifecycleEvent) -> State:
    """The state after an event.

    Raises:
        ClusterError: the event is not allowed in this state.

    >>> follow(TransactionState.STARTED, Event.COMMIT)
    <TransactionState.COMMITTING: 'committing'>
    """
    try:
        return NEXT[type(state)][state][event]
    except KeyError:
        allowed = ", ".join(sorted(NEXT[type(state)][state])) or "nothing"
        kind = type(state).__name__.removesuffix("State").lower()
        raise ClusterError(
            f"a {kind} in state '{state}' cannot take '{event}'", remedy=f"it allows {allowed}"
        ) from None


def steps(kind: type[State], event: LifecycleEvent) -> dict[State, State]:
    """The states of a kind that an event may meet, and the states that it leads to.

    For steps that a statement takes only if the state allows it.

    >>> steps(QueryState, QueryEvent.COMPLETE)
    {<QueryState.EXECUTING: 'executing'>: <QueryState.COMPLETED: 'completed'>}
    """
    return {state: events[event] for state, events in NEXT[kind].items() if event in events}


def diagram(kind: type[State]) -> str:
    """One lifecycle as a Mermaid state diagram; docs/reference/lifecycles.md holds it, and a test compares."""
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(kind))}"]
    for state, events in NEXT[kind].items():
        lines += [f"    {state} --> {after}: {event}" for event, after in events.items()]
        lines += [] if events else [f"    {state} --> [*]"]
    return "\n".join(lines)
