"""Services that are kept running."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.host import supervise as supervising
from skyshard.host.supervise import supervise


class Sleep:
    """A service that does nothing; it has to wait for something at its first two starts."""

    name = "sleep"

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        self._starts += 1
        if self._starts < 3:
            raise ClusterError("no head answers", retryable=True)
        self._process = subprocess.Popen(["sleep", "60"])

    def is_ready(self) -> bool:
        return True

    def reason(self) -> str:
        return "it was killed"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def test_a_service_is_started_again_until_its_supervisor_is_asked_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it waits for is told once, each end with its reason; SIGTERM ends it, and the supervisor returns."""
    monkeypatch.setattr(supervising, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(supervising, "ASK_AGAIN_S", 0.02)
    monkeypatch.setattr(supervising, "FIRST_WAIT_S", 0.05)
    service, told = Sleep(), list[str]()

    def report(line: str) -> None:
        told.append(line.partition(" process ")[0])
        if "is ready" in line:
            is_first = sum("is ready" in one for one in told) == 1
            os.kill(service.pid or 0, signal.SIGKILL) if is_first else os.kill(os.getpid(), signal.SIGTERM)

    supervise([service], report)
    assert told == [
        "sleep waits: no head answers",
        "sleep is ready:",
        "sleep ended: it was killed; it is started again in 0.05 s",
        "sleep is ready:",
        "ended",
    ]
    assert service.pid is None
