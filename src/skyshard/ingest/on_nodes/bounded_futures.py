"""Runs many calls, a bounded number at a time: futures in, results out, in the order in which they end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from skyshard.basics.errors import ClusterError
from skyshard.node.messages import BuildOrder, BuiltTable

T = TypeVar("T")
PER_NODE = 2
"""Orders under way at one node: enough to keep it busy, few enough to bound what a slow node holds."""
RESTART = "see `skyshard cluster status`, run `skyshard cluster start`, then the same again: it does what is left"


class BackgroundThread:
    """A thread for what nothing waits for until the end: calls one after the other, in the order given.

    >>> thread, done = BackgroundThread("example"), []
    >>> for word in ("first", "second"):
    ...     _ = thread.do(done.append, word)
    >>> thread.finish()
    >>> thread.close()
    >>> done
    ['first', 'second']
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._calls: list[Future[Any]] = []

    def do(self, function: Callable[..., T], *args: Any) -> Future[T]:
        self._calls.append(call := self._thread.submit(function, *args))
        return call

    def finish(self) -> None:
        """Wait for all calls so far; the first error is raised."""
        calls, self._calls = self._calls, []
        for call in calls:
            call.result()

    def close(self) -> None:
        """Wait for the call that is under way, and give up those that are not."""
        self._thread.shutdown(cancel_futures=True)


def answer(node: str, future: Future[T]) -> T:
    """What a node answers.

    Raises:
        ClusterError: it failed; the error names it and says what to do.
    """
    try:
        return future.result()
    except ClusterError as error:
        raise about(node, error) from error


def answers(futures: Mapping[str, Future[T]]) -> dict[str, T]:
    """What all nodes answer; every one has ended, well or not, before an error is raised."""
    wait(futures.values())
    return {node: answer(node, future) for node, future in futures.items()}


def about(node: str, error: ClusterError) -> ClusterError:
    """The error with the node's name in it; of a node that may come back, with the way to go on."""
    if f"node '{node}'" in error.what:
        return error
    remedy = RESTART if error.retryable else error.remedy
    return ClusterError(f"node '{node}': {error.what}", remedy=remedy, retryable=error.retryable)


def in_order_of_end(
    calls: Iterable[Callable[[], Future[T]]], items: Sequence[Any], limit: int
) -> Iterable[tuple[T, Any]]:
    """Start at most ``limit`` calls at a time and yield (result, item) as they end.

    After wrong input, or a bug, nothing is under way any more, so that what was done can be taken back.

    >>> from functools import partial
    >>> from skyshard.runtime import open_runtime
    >>> with open_runtime("inline") as runtime:
    ...     calls = (partial(runtime.submit, len, word) for word in ("a", "bcd"))
    ...     sorted(in_order_of_end(calls, ("a", "bcd"), limit=1))
    [(1, 'a'), (3, 'bcd')]
    """
    waiting = iter(zip(calls, items, strict=True))
    running: dict[Future[T], Any] = {}

    def fill() -> None:
        while len(running) < limit and (entry := next(waiting, None)) is not None:
            running[entry[0]()] = entry[1]

    try:
        fill()
        while running:
            ended = wait(running, return_when=FIRST_COMPLETED).done
            results = [(future.result(), running.pop(future)) for future in ended]
            fill()  # before anybody looks at the results: workers do not wait for that
            yield from results
    except ClusterError:  # who does not answer is not waited for
        raise
    except Exception:
        wait(running)
        raise
    finally:
        for future in running:
            future.cancel()


def drain(
    queues: Mapping[str, Sequence[BuildOrder]],
    build: Callable[[str, BuildOrder], Future[list[BuiltTable]]],
    after: Callable[[str, BuildOrder, list[BuiltTable]], Mapping[str, Sequence[BuildOrder]]] = lambda *_: {},
) -> Iterable[tuple[str, BuildOrder, list[BuiltTable]]]:
    """Have each node ``build`` its orders, at most ``PER_NODE`` at a time, and yield what comes back.

    After an error nothing more is sent; what the other nodes have under way is waited for and yielded.

    Args:
        after: what nodes have to build once an order is carried out, besides the rest of their queues.
    """
    waiting = {node: deque(orders) for node, orders in queues.items()}
    running: dict[Future[list[BuiltTable]], tuple[str, BuildOrder]] = {}
    at_work: Counter[str] = Counter()

    def send(node: str) -> None:
        while waiting[node] and at_work[node] < PER_NODE:
            order = waiting[node].popleft()
            at_work[node] += 1
            running[build(node, order)] = (node, order)

    for node in queues:
        send(node)
    failed: Exception | None = None
    while running:
        ended = wait(running, return_when=FIRST_COMPLETED).done
        for future in [future for future in running if future in ended]:  # as sent: the first error is the cause
            node, order = running.pop(future)
            at_work[node] -= 1
            try:
                built = answer(node, future)
            except Exception as error:
                failed = failed or error
                continue
            if failed is None:
                for other, orders in after(node, order, built).items():
                    waiting[other].extend(orders)
                    send(other)
                send(node)
            yield node, order, built
    if failed is not None:
        raise failed
