"""What becomes of a transaction that fails, by what broke it off."""

from __future__ import annotations

from typing import Any

import pytest

from skyshard.basics.errors import Bug, ClusterError, UserError
from skyshard.ingest.transaction import ending
from skyshard.ingest.transaction.ending import abort, settle
from skyshard.registry.catalog.database_names import DatabaseNames
from skyshard.registry.stored.lifecycle import TransactionState
from skyshard.registry.stored.records import OpenTransaction

MINE = OpenTransaction(7, TransactionState.STARTED, "plan", 2, {})


class Site:
    """A site whose registry has, or has not, the transaction open; it notes what is told."""

    def __init__(self, found: OpenTransaction | None = MINE, row: dict[str, Any] | None = None) -> None:
        self.found = found
        self.row = row
        self.told: list[dict[str, Any]] = []
        self.registry = self.transactions = self.events = self.published = self

    def find_open(self, database: str) -> OpenTransaction | None:
        return self.found

    def get(self, number: int) -> dict[str, Any] | None:
        return self.row

    def names(self) -> DatabaseNames:
        return DatabaseNames({})

    def tell(self, event: object, **fields: Any) -> None:
        self.told.append(fields)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The errors with which transactions are taken back."""
    errors: list[str] = []
    monkeypatch.setattr(ending, "take_back", lambda site, database, mine, error="": errors.append(error))
    return errors


def settled(site: Any, error: BaseException) -> list[str]:
    """The notes of the error once the transaction is settled."""
    settle(site, "sky", MINE, error)
    return list(getattr(error, "__notes__", []))


@pytest.mark.parametrize(
    "error", [ClusterError("a node is gone"), OSError("disk"), MemoryError(), KeyboardInterrupt(), SystemExit(1)]
)
def test_what_servers_machine_or_user_interrupted_stays_open(taken: list[str], error: BaseException) -> None:
    """The note says how to go on and how to end it, and the event names the attempt."""
    site = Site()
    (note,) = settled(site, error)
    assert note.startswith("transaction 7 stays open: run the same command again")
    assert "skyshard transactions abort 7" in note
    assert site.told[0]["attempt"] == 2
    assert taken == []


def test_wrong_input_is_taken_back_without_a_note(taken: list[str]) -> None:
    """The user reads what is wrong; nothing of it is left."""
    assert settled(Site(), UserError("wrong row", remedy="fix it")) == []
    assert taken == ["wrong row; fix it"]


@pytest.mark.parametrize("error", [Bug("broken"), ZeroDivisionError("division by zero")])
def test_a_bug_is_taken_back_and_says_so(taken: list[str], error: Exception) -> None:
    """It would fail the same way again."""
    assert settled(Site(), error) == ["transaction 7 was taken back, nothing of it is left"]
    assert len(taken) == 1


@pytest.mark.parametrize("found", [None, OpenTransaction(8, TransactionState.STARTED, "plan", 1, {})])
def test_one_that_was_published_before_the_error_stays(taken: list[str], found: OpenTransaction | None) -> None:
    """Its rows are there; a later transaction that is open is not touched."""
    assert settled(Site(found), Bug("late")) == []
    assert taken == []


def test_where_taking_back_fails_too_the_first_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction stays in the registry, to be ended later."""

    def fail(*_: object) -> None:
        raise ClusterError("node1 is down")

    monkeypatch.setattr(ending, "take_back", fail)
    (note,) = settled(Site(), UserError("wrong row"))
    assert note.startswith("transaction 7 is not taken back yet (node1 is down)")


def test_a_long_or_odd_text_is_kept_as_far_as_the_registry_holds_it(taken: list[str]) -> None:
    """Letters that UTF-8 has not are spelt out, the rest is cut."""
    settled(Site(), UserError("\ud800" + "é" * 100_000))
    assert taken[0].startswith("\\ud800é")
    assert len(taken[0].encode()) <= 60_000


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (None, "there is no transaction 7"),
        ({"state": TransactionState.FINISHED, "database": "sky"}, "is finished"),
        ({"state": TransactionState.ABORTED, "database": "sky"}, "is aborted"),
    ],
)
def test_only_an_open_transaction_can_be_aborted(row: dict[str, Any] | None, what: str) -> None:
    """Any other number is refused, with its state."""
    site: Any = Site(row=row)
    with pytest.raises(UserError, match=what):
        abort(site, 7)
