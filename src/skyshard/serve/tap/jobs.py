"""Jobs of TAP: what was asked for, and where it is; one file a job in a folder of the cluster.

Rules: a job's phase follows from its file and from the state of its submitted query; nothing else is kept. Times are
seconds since 1970. Files of other versions, or that cannot be read, are no jobs.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from skyshard.host.atomic_files import write_atomically
from skyshard.serve.folder_locks import FileLock, FolderLock

VERSION = 1
_ID = re.compile(r"[0-9a-f]{24}")
_CHANGING = ".changing"


class Phase(StrEnum):
    """Where a job is, in UWS's words."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    ARCHIVED = "ARCHIVED"

    @property
    def is_active(self) -> bool:
        return self in (Phase.PENDING, Phase.QUEUED, Phase.EXECUTING)


OF_QUERY = {
    "queued": Phase.QUEUED, "executing": Phase.EXECUTING, "completed": Phase.COMPLETED, "failed": Phase.ERROR,
    "cancelled": Phase.ABORTED, "expired": Phase.ARCHIVED,
}  # fmt: skip
"""State of a submitted query → phase of its job."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job.

    ``number``: of its submitted query, 0 where there is none. ``ended``: its phase, where no query tells it.
    ``is_here``: it is no submitted query's, but runs in a process of the door. ``columns``: what the columns of its
    result are declared as, by position, as :class:`Field` has it.
    """

    job_id: str
    owner: str
    parameters: dict[str, str]
    created_s: float
    destruction_s: float
    duration_s: int
    number: int = 0
    ended: str = ""
    begun_s: float = 0.0
    ended_s: float = 0.0
    error: str = ""
    columns: list[dict[str, str]] = field(default_factory=list)
    most_rows: int = 0
    is_here: bool = False

    @property
    def run_id(self) -> str:
        return self.parameters.get("RUNID", "")

    def with_parameters(self, given: dict[str, str]) -> Job:
        return replace(self, parameters={**self.parameters, **given})


def new_job(owner: str, parameters: dict[str, str], *, duration_s: int, kept_s: int) -> Job:
    """A job that waits to be run; its id cannot be guessed."""
    now = float(int(time.time()))
    return Job(secrets.token_hex(12), owner, parameters, now, now + kept_s, duration_s)


class JobFolder:
    """The files of jobs, and of results that no submitted query holds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.lock = FolderLock(folder)
        """Held by whoever reads, changes and writes, in whatever process; not across anything that takes long."""

    def save(self, job: Job) -> Job:
        """Write a job's file, whole or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._path(job.job_id), json.dumps({"version": VERSION, **asdict(job)}))
        return job

    def find(self, job_id: str) -> Job | None:
        """A job; None where there is none of that id."""
        if not _ID.fullmatch(job_id):
            return None
        try:
            return _read(self._path(job_id).read_text())
        except (OSError, ValueError, TypeError):
            return None

    def all(self) -> Iterator[Job]:
        """All jobs, in no order, each read when it is asked for: their queries together may be long."""
        found = (self.find(path.stem) for path in self._folder.glob("*.json"))
        return (job for job in found if job is not None)

    def of(self, owner: str) -> list[Job]:
        """The jobs of somebody, the newest first."""
        return sorted((job for job in self.all() if job.owner == owner), key=lambda job: -job.created_s)

    def result(self, job_id: str) -> Path:
        """Where the rows of a job are that no submitted query holds."""
        return self._folder / f"{job_id}.parquet"

    def running(self, job_id: str) -> FileLock:
        """Held by the process that runs a job which no submitted query answers, as long as it does; on any host."""
        return FileLock(self._folder / f"{job_id}.running")

    def is_running(self, job_id: str) -> bool:
        """Whether the process that runs such a job is there."""
        with self.lock:
            return self.running(job_id).is_taken

    def changing(self, job_id: str) -> FileLock:
        """Held by the process that begins, changes, aborts or forgets a job; on any host."""
        return FileLock(self._folder / f"{job_id}{_CHANGING}")

    def keep_uploads(self, job_id: str, documents: Mapping[str, bytes]) -> None:
        """Keep the tables that came with a job until it is run."""
        for name, content in documents.items():
            write_atomically(self._folder / f"{job_id}.{name}.upload", content)

    def uploads(self, job_id: str) -> dict[str, bytes]:
        """The tables that came with a job, by name."""
        found = self._folder.glob(f"{job_id}.*.upload")
        return {path.name.split(".")[1]: path.read_bytes() for path in found}

    def forget(self, job_id: str) -> None:
        """Remove the files of a job, drafts that a killed process left among them; last the one that says there is a
        job, so that what is killed on the way is gone on with. Its lock is whose holds it."""
        mine = self._path(job_id)
        for path in (*self._folder.glob(f"{job_id}.*"), *self._folder.glob(f".{job_id}.*")):
            if path != mine and path.suffix != _CHANGING:
                path.unlink(missing_ok=True)
        mine.unlink(missing_ok=True)

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"


def _read(text: str) -> Job:
    content: dict[str, Any] = json.loads(text)
    if content.pop("version", None) != VERSION:
        raise ValueError("a job of another release")
    return Job(**content)
