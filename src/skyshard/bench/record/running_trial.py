"""A trial that runs, told to whoever looks at its cluster: one small file, ``<cluster>/bench/<process>.json``.

Rules: it is written once a second at most, in the threads that report progress, never in those that send queries. It is
removed at the end; one whose process was killed is passed over, and removed by the next trial. A file that cannot be
written fails no trial.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from skyshard.basics.progress import Progress, Watcher
from skyshard.bench.record.samples import Sample
from skyshard.host.atomic_files import write_atomically
from skyshard.host.processes import host_id, is_left, own_name

FOLDER = "bench"
EACH_S = 1.0
LATEST = 20
"""Queries of a class whose latencies are told."""
SILENT_S = 600.0
"""A process of another host that has said nothing for so long is taken to be gone."""
PHASE = "phase "
"""So the stages begin in which queries are sent."""
TakeSamples = Callable[[Sequence[Sample], int], None]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassNow(_Strict):
    """One class of queries, of all phases until now."""

    name: str
    queries: int
    """That have ended, warm-up too."""
    errors: int
    last_s: float
    """Latency of the query that ended last, from the time when it was due."""
    median_s: float
    """Of the last twenty at most."""


class RunningTrial(_Strict):
    """What is known of a trial; times are seconds since 1970."""

    version: int = 1
    process: str
    workload: str
    target: str
    database: str
    stage: str
    done: int
    total: int
    """Of the stage: queries, where it is a phase; 0: the end is not known."""
    is_counted: bool
    """False where driver processes count their queries only at the end of a phase."""
    begun_s: float
    stage_begun_s: float
    said_s: float
    classes: tuple[ClassNow, ...] = ()


@dataclass(slots=True)
class _Class:
    queries: int = 0
    errors: int = 0
    latest: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))

    def told(self, name: str) -> ClassNow:
        return ClassNow(
            name=name, queries=self.queries, errors=self.errors, last_s=self.latest[-1],
            median_s=statistics.median(self.latest),
        )  # fmt: skip


class TrialNotice:
    """Writes the file of the trials of this process, one target after the other."""

    def __init__(self, folder: Path, workload: str, database: str, *, is_counted: bool = True) -> None:
        self._folder, self._path = folder, folder / f"{own_name().replace(' ', '-')}.json"
        self._workload, self._database = workload, database
        self._is_counted = is_counted
        self._lock = threading.Lock()
        self._target, self._progress = "", Progress("", 0, 0)
        self._begun_s = self._stage_begun_s = time.time()
        self._next_s, self._seen, self._planned = 0.0, 0, 0
        self._classes: dict[str, _Class] = {}

    def begin(self, target: str) -> None:
        """The trial of another target begins; its samples come from the first one on."""
        with self._lock:
            self._target, self._seen, self._classes = target, 0, {}

    def watching(self, watcher: Watcher) -> Watcher:
        """The same watcher, whose progress is noted too."""

        def watch(progress: Progress) -> None:
            if progress.stage:
                self._note(progress)
            watcher(progress)

        return watch

    def take(self, samples: Sequence[Sample], planned: int) -> None:
        """All samples until now, and the queries of this phase (0: it ends by the clock); told with the next
        progress."""
        with self._lock:
            self._planned = planned
            for one in samples[self._seen : len(samples)]:
                mine = self._classes.setdefault(one.class_name, _Class())
                mine.queries += 1
                mine.errors += one.error is not None
                mine.latest.append(max(0.0, one.last_row_s - one.intended_s))
                self._seen += 1

    def _note(self, progress: Progress) -> None:
        with self._lock:
            if progress.stage != self._progress.stage:
                self._stage_begun_s, self._next_s = time.time(), 0.0
            self._progress = progress
            if time.monotonic() >= self._next_s or progress.done == progress.total:
                self._next_s = time.monotonic() + EACH_S
                self._write()

    def _write(self) -> None:
        now = self._progress
        is_phase = now.stage.startswith(PHASE)
        told = RunningTrial(
            process=own_name(),
            workload=self._workload,
            target=self._target,
            database=self._database,
            stage=now.stage,
            done=now.done,
            total=self._planned if is_phase else now.total,
            is_counted=self._is_counted or not is_phase,
            begun_s=self._begun_s,
            stage_begun_s=self._stage_begun_s,
            said_s=time.time(),
            classes=tuple(one.told(name) for name, one in self._classes.items()),
        )
        with contextlib.suppress(OSError):
            write_atomically(self._path, told.model_dump_json())

    def remove(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def noticed(cluster: Path, workload: str, database: str, *, is_counted: bool) -> Iterator[TrialNotice]:
    """A notice for who looks at a cluster, and its end; where there is no such folder nobody is told."""
    notice = TrialNotice(cluster / FOLDER, workload, database, is_counted=is_counted)
    with contextlib.suppress(OSError):
        if cluster.is_dir():
            (cluster / FOLDER).mkdir(exist_ok=True)
            _remove_left(cluster / FOLDER)
    try:
        yield notice
    finally:
        notice.remove()


def running_trials(cluster: Path) -> list[RunningTrial]:
    """The trials that run against a cluster, those that began first first; what was left by killed ones is passed
    over, and so is what cannot be read."""
    found = [told for path in _files(cluster / FOLDER) if (told := _read(path)) is not None and not _is_gone(told)]
    return sorted(found, key=lambda one: one.begun_s)


def _files(folder: Path) -> list[Path]:
    try:
        return [Path(one.path) for one in os.scandir(folder) if one.name.endswith(".json")]
    except OSError:
        return []


def _read(path: Path) -> RunningTrial | None:
    try:
        return RunningTrial.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _is_gone(told: RunningTrial) -> bool:
    is_elsewhere = told.process.partition(" ")[0] != host_id()
    return is_left(told.process) or (is_elsewhere and time.time() - told.said_s > SILENT_S)


def _remove_left(folder: Path) -> None:
    for path in _files(folder):
        told = _read(path)
        if told is not None and _is_gone(told):
            path.unlink(missing_ok=True)
