"""Lifecycles: every state is in the table, every end is an end, and forbidden steps say what is allowed."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.registry.stored.lifecycle import (
    NEXT,
    ContributionState,
    DatabaseState,
    Event,
    JobState,
    NodeState,
    QueryEvent,
    QueryState,
    ReplicaState,
    TransactionState,
    diagram,
    follow,
    steps,
)

KINDS = (DatabaseState, TransactionState, ContributionState, ReplicaState, NodeState, QueryState, JobState)


def test_every_state_has_a_row() -> None:
    """No state is missing from the table."""
    assert {kind: set(NEXT[kind]) for kind in NEXT} == {kind: set(kind) for kind in KINDS}


def test_events_stay_within_a_kind() -> None:
    """A transaction never becomes a replica."""
    for kind, table in NEXT.items():
        assert {type(state) for state in table} == {kind}
        assert {type(after) for events in table.values() for after in events.values()} == {kind}


@pytest.mark.parametrize("end", [TransactionState.FINISHED, TransactionState.ABORTED, ContributionState.CANCELLED])
def test_ends_take_no_event(end: TransactionState | ContributionState) -> None:
    """What is over stays over."""
    assert not NEXT[type(end)][end]


def test_forbidden_step_names_what_is_allowed() -> None:
    """The error names state, event and the events that the state takes."""
    with pytest.raises(ClusterError, match="a transaction in state 'started' cannot take 'aborted'; it allows abort"):
        follow(TransactionState.STARTED, Event.ABORTED)


def test_the_steps_of_an_event_are_those_that_can_be_followed() -> None:
    """A query is cancelled from both open states, and from no other."""
    assert steps(QueryState, QueryEvent.CANCEL) == {
        QueryState.QUEUED: QueryState.CANCELLED,
        QueryState.EXECUTING: QueryState.CANCELLED,
    }
    assert steps(ReplicaState, QueryEvent.CANCEL) == {}


def test_states_of_one_name_are_kept_apart() -> None:
    """A cancelled query and a cancelled contribution are equal as texts; each has its own row."""
    assert "cancelled --> [*]" in diagram(QueryState)
    assert "cancelled --> [*]" in diagram(ContributionState)


@pytest.mark.parametrize("event", QueryEvent)
def test_an_event_of_queries_leads_to_one_state(event: QueryEvent) -> None:
    """So that one UPDATE that names the states before can take it."""
    assert len(set(steps(QueryState, event).values())) == 1
