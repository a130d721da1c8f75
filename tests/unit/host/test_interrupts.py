"""Signals as KeyboardInterrupt, and tidying up that they do not disturb."""

from __future__ import annotations

import signal

import pytest

from skyshard.host.interrupts import ENDING_SIGNALS, interruptible, uninterrupted


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_ending_signals_interrupt(number: signal.Signals) -> None:
    """SIGTERM and SIGHUP run the finally clauses as Ctrl-C does."""
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(number)


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_tidying_up_is_not_interrupted(number: signal.Signals) -> None:
    """A second Ctrl-C while the first one is dealt with changes nothing."""
    with uninterrupted():
        signal.raise_signal(number)


def test_handlers_are_put_back() -> None:
    """After the context the process handles signals as before."""
    before = [signal.getsignal(number) for number in ENDING_SIGNALS]
    with interruptible(), uninterrupted():
        pass
    assert [signal.getsignal(number) for number in ENDING_SIGNALS] == before
