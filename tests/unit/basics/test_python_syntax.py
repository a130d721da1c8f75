"""Trees of expressions are made by one thread at a time."""

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from skyshard.basics.python_syntax import parse_expression
from skyshard.host.array_files import load_array


class _GivesWay:
    """Its end, in a collection of garbage, lets other threads run."""

    def __init__(self) -> None:
        self.circle = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads change as often as they can, and garbage is collected at each turn."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(5)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("hasty")
def test_threads_do_not_spoil_each_others_trees(tmp_path: Path) -> None:
    """Four threads parse and read heads of arrays: on Python 3.11.7 each ends in a SystemError without the lock."""
    np.save(tmp_path / "a.npy", np.arange(6).reshape(3, 2))
    errors: list[BaseException] = []

    def repeat(work: Callable[[], object]) -> None:
        try:
            for _ in range(200):
                _GivesWay()
                work()
        except BaseException as error:  # a thread's errors are looked at below
            errors.append(error)

    works: list[Callable[[], object]] = [
        lambda: parse_expression("a + 2 * (b - c)"),
        lambda: load_array(tmp_path / "a.npy"),
    ] * 2
    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
