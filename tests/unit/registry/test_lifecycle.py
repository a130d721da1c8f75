"""Lifecycles: every state is in the table, every end is an end, and forbidden steps say what is allowed."""

from __future__ import annotations

import pytest

from skyshard.errors import ClusterError
from skyshard.registry.lifecycle import (
    NEXT,
    ContributionState,
    DatabaseState,
    Event,
    ReplicaState,
    TransactionState,
    follow,
)

KINDS = (DatabaseState, TransactionState, ContributionState, ReplicaState)


def test_every_state_has_a_row() -> None:
    """No state is missing from the table."""
    assert set(NEXT) == {state for kind in KINDS for state in kind}


def test_events_stay_within_a_kind() -> None:
    """A transaction never becomes a replica."""
    assert all(type(after) is type(state) for state, events in NEXT.items() for after in events.values())


@pytest.mark.parametrize("end", [TransactionState.FINISHED, TransactionState.ABORTED, ContributionState.CANCELLED])
def test_ends_take_no_event(end: TransactionState | ContributionState) -> None:
    """What is over stays over."""
    assert not NEXT[end]


def test_forbidden_step_names_what_is_allowed() -> None:
    """The error names state, event and the events that the state takes."""
    with pytest.raises(ClusterError, match="a transaction in state 'started' cannot take 'aborted'; it allows abort"):
        follow(TransactionState.STARTED, Event.ABORTED)
