"""Lifecycles as tables: what may follow what, for databases, transactions, contributions, replicas, nodes,
queries and jobs.

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
    DROPPED = "dropped"
    """Its rows were lost, and were taken out of the database."""
    CANCELLED = "cancelled"


class ReplicaState(StrEnum):
    """What a node holds of a chunk table. Ingest records replicas when they are good; queries read only these."""

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
    VERIFIED = "verified"


class NodeState(StrEnum):
    """What was decided of a node. Whether its server answers is seen, and no state."""

    JOINING = "joining"
    """It is being added: nothing is asked of it yet."""
    ACTIVE = "active"
    READ_ONLY = "read-only"
    """It gets no new chunks."""
    DRAINING = "draining"
    """It gets no new chunks, and what it holds goes to others."""
    DRAINED = "drained"
    """It holds no chunk."""
    REMOVED = "removed"


TAKING = frozenset({NodeState.ACTIVE})
"""The states of nodes that new chunks come to."""
HOLDING = TAKING | {NodeState.READ_ONLY, NodeState.DRAINING}
"""The states of nodes that hold rows: chunks, and the regular tables."""
MEMBERS = HOLDING | {NodeState.DRAINED}
"""The states of nodes that belong to the cluster."""


class NodeEvent(StrEnum):
    JOIN = "join"
    JOINED = "joined"
    ENABLE = "enable"
    READ_ONLY = "read-only"
    DRAIN = "drain"
    DRAINED = "drained"
    REMOVE = "remove"


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


class JobState(StrEnum):
    """What was decided of a job; whether a process works on it is seen by its lock."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    """No step begins any more; what is half done is being removed."""
    DONE = "done"
    CANCELLED = "cancelled"


class JobEvent(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    END = "end"


State = DatabaseState | TransactionState | ContributionState | ReplicaState | NodeState | QueryState | JobState
LifecycleEvent = Event | NodeEvent | QueryEvent | JobEvent

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
            Event.DROP: ContributionState.DROPPED,
            Event.ABORT: ContributionState.CANCELLED,
        },
        ContributionState.REPLACED: {},
        ContributionState.DROPPED: {},
        ContributionState.CANCELLED: {},
    },
    ReplicaState: {
        ReplicaState.BUILDING: {
            Event.BUILT: ReplicaState.GOOD,
            Event.BROKEN: ReplicaState.BAD,
            Event.REBUILD: ReplicaState.BUILDING,
        },
        ReplicaState.GOOD: {Event.VERIFIED: ReplicaState.GOOD, Event.BROKEN: ReplicaState.BAD},
        ReplicaState.BAD: {
            Event.VERIFIED: ReplicaState.GOOD,
            Event.BROKEN: ReplicaState.BAD,
            Event.REBUILD: ReplicaState.BUILDING,
        },
    },
    NodeState: {
        NodeState.JOINING: {
            NodeEvent.JOIN: NodeState.JOINING,
            NodeEvent.JOINED: NodeState.ACTIVE,
            NodeEvent.REMOVE: NodeState.REMOVED,
        },
        NodeState.ACTIVE: {
            NodeEvent.ENABLE: NodeState.ACTIVE,
            NodeEvent.READ_ONLY: NodeState.READ_ONLY,
            NodeEvent.DRAIN: NodeState.DRAINING,
        },
        NodeState.READ_ONLY: {
            NodeEvent.ENABLE: NodeState.ACTIVE,
            NodeEvent.READ_ONLY: NodeState.READ_ONLY,
            NodeEvent.DRAIN: NodeState.DRAINING,
        },
        NodeState.DRAINING: {
            NodeEvent.ENABLE: NodeState.ACTIVE,
            NodeEvent.READ_ONLY: NodeState.READ_ONLY,
            NodeEvent.DRAIN: NodeState.DRAINING,
            NodeEvent.DRAINED: NodeState.DRAINED,
        },
        NodeState.DRAINED: {
            NodeEvent.ENABLE: NodeState.ACTIVE,
            NodeEvent.READ_ONLY: NodeState.READ_ONLY,
            NodeEvent.DRAIN: NodeState.DRAINING,
            NodeEvent.DRAINED: NodeState.DRAINED,
            NodeEvent.REMOVE: NodeState.REMOVED,
        },
        NodeState.REMOVED: {NodeEvent.REMOVE: NodeState.REMOVED, NodeEvent.JOIN: NodeState.JOINING},
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
    JobState: {
        JobState.RUNNING: {
            JobEvent.PAUSE: JobState.PAUSED,
            JobEvent.RESUME: JobState.RUNNING,
            JobEvent.CANCEL: JobState.CANCELLING,
            JobEvent.END: JobState.DONE,
        },
        JobState.PAUSED: {
            JobEvent.PAUSE: JobState.PAUSED,
            JobEvent.RESUME: JobState.RUNNING,
            JobEvent.CANCEL: JobState.CANCELLING,
        },
        JobState.CANCELLING: {JobEvent.CANCEL: JobState.CANCELLING, JobEvent.END: JobState.CANCELLED},
        JobState.DONE: {},
        JobState.CANCELLED: {},
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
