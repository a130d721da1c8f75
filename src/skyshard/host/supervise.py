"""Keeps the services of a host running: each is started again when it ends, later each time that it ends soon.

A service that ends at once is tried again after 1, 2, 4 ... 30 s; one that ran for a minute begins anew.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from skyshard.basics.errors import ClusterError, words_of
from skyshard.host.interrupts import interruptible, uninterrupted

LOOK_EVERY_S = 0.2
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
ASK_AGAIN_S = 1.0
STEADY_AFTER_S = 60.0


class Service(Protocol):
    """Something that runs on this host in processes of its own."""

    name: str

    def start(self) -> None:
        """Begin, and return at once. ClusterError when it cannot begin now; a retryable one: it waits for another."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process, None when it does not run."""
        ...

    def is_ready(self) -> bool:
        """Whether it does its work; asked until it does."""
        ...

    def reason(self) -> str:
        """Why it ended, in one line."""
        ...

    def stop(self) -> None:
        """End it properly, by force where that takes too long, and leave nothing of it."""
        ...


def wait_before_start_s(failures: int) -> float:
    """How long a service rests that ended soon so many times in a row.

    >>> [wait_before_start_s(failures) for failures in (0, 1, 2, 3, 9)]
    [0.0, 1.0, 2.0, 4.0, 30.0]
    """
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (failures - 1)) if failures else 0.0


class _Kept:
    """A service, and what became of it so far."""

    def __init__(self, service: Service, report: Callable[[str], None]) -> None:
        self._service = service
        self._report = report
        self._failures = 0
        self._start_s = 0.0
        self._began_s: float | None = None
        self._is_ready = False
        self._told = ""

    def step(self, now_s: float) -> None:
        if self._began_s is None:
            if now_s >= self._start_s:
                self._start(now_s)
        elif self._service.pid is None:
            self._note_end(self._service.reason(), now_s, ran_s=now_s - self._began_s)
        elif not self._is_ready and self._service.is_ready():
            self._is_ready, self._told = True, ""
            self._report(f"{self._service.name} is ready: process {self._service.pid}")

    def _start(self, now_s: float) -> None:
        self._began_s, self._is_ready = now_s, False
        try:
            self._service.start()
        except ClusterError as error:
            if error.retryable:
                self._wait(words_of(error), now_s)
            else:
                self._note_end(words_of(error), now_s, ran_s=0.0)

    def _wait(self, reason: str, now_s: float) -> None:
        """It is tried again and again; the reason is told once."""
        self._service.stop()
        self._began_s, self._start_s = None, now_s + ASK_AGAIN_S
        if reason != self._told:
            self._told = reason
            self._report(f"{self._service.name} waits: {reason}")

    def _note_end(self, reason: str, now_s: float, *, ran_s: float) -> None:
        self._service.stop()
        self._failures = 1 if ran_s > STEADY_AFTER_S else self._failures + 1
        rest_s = wait_before_start_s(self._failures)
        self._began_s, self._start_s = None, now_s + rest_s
        self._report(f"{self._service.name} ended: {reason}; it is started again in {rest_s:g} s")


def supervise(services: Sequence[Service], report: Callable[[str], None]) -> None:
    """Keep the services running until this process is asked to end (SIGTERM, SIGINT, SIGHUP), then end them.

    ``report`` gets a line for each start and end. When a service raises an error other than ClusterError, all are
    ended and it comes out.
    """
    kept = [_Kept(service, report) for service in services]
    try:
        with contextlib.suppress(KeyboardInterrupt), interruptible():
            while True:
                for one in kept:
                    one.step(time.monotonic())
                _collect_strangers({service.pid for service in services})
                time.sleep(LOOK_EVERY_S)
    finally:
        with uninterrupted():
            for service in reversed(services):
                service.stop()
            report("ended")


def _collect_strangers(own: set[int | None]) -> None:
    """As a container's first process: collect those that ended and whose parents are gone."""
    if os.getpid() != 1:
        return
    for child in Path("/proc/1/task/1/children").read_text().split():
        with contextlib.suppress(OSError):
            has_ended = (Path("/proc") / child / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if has_ended and int(child) not in own:
                os.waitpid(int(child), os.WNOHANG)
