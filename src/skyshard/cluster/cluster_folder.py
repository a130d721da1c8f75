"""The folder of a private cluster: its record, its lock, and where its sockets go.

Rules: only its owner may enter the folder, whoever made it, and those for rows below it; the record is written
atomically; the lock is on the folder itself, so that no lock file stays behind; sockets live in a short folder that
only its owner may enter, because a socket path holds 107 bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.named_description import NamedDescription
from skyshard.host.atomic_files import write_atomically
from skyshard.host.file_versions import refuse_newer

RECORD = "cluster.json"
LOCK_TIMEOUT_S = 90.0
POLL_S = 0.05
LONGEST_BASE = 60
_FIRST_FILES = re.compile(r"settings\.json|\.(settings|cluster)\.json\.\d+\.tmp")


class _Record(BaseModel):
    """What ``cluster.json`` holds, of either kind of cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    created: str
    """When the cluster was made, ISO 8601 in UTC."""

    @staticmethod
    def file_in(folder: Path) -> Path:
        return folder / RECORD

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The record of a folder.

        Raises:
            UserError: torn, no record of a cluster of this kind, or written by a later release.
        """
        file = cls.file_in(folder)
        try:
            content = json.loads(file.read_bytes())
            refuse_newer(content, (1, 2, 3), str(file))
            return cls.model_validate(content)
        except (OSError, ValueError) as error:  # pydantic's error is a ValueError
            reason = " ".join(str(error).split())
            raise UserError(
                f"{file} is not readable as a cluster: {reason}", remedy="bring the file back, or remove the folder"
            ) from error

    def write(self, folder: Path) -> None:
        """Replace the record in one step."""
        write_atomically(self.file_in(folder), self.model_dump_json(indent=2) + "\n", is_synced=True)


class ClusterRecord(_Record):
    """The record of a private cluster."""

    version: Literal[1, 3]
    """Of this file's format: 3 once a node was removed."""
    nodes: int = Field(ge=1)
    """Number of nodes that there ever were, without the czar's server."""
    removed: tuple[int, ...] = ()
    """The numbers of those that were removed; none is given again."""
    sockets: Path
    """The folder that held the sockets at the last start."""

    @property
    def node_names(self) -> tuple[str, ...]:
        """The nodes that there are, in order."""
        return tuple(f"node{number}" for number in range(1, self.nodes + 1) if number not in self.removed)

    @property
    def next_name(self) -> str:
        """What the next node is called."""
        return f"node{self.nodes + 1}"

    def with_next(self) -> ClusterRecord:
        """With one node more."""
        return self.model_copy(update={"nodes": self.nodes + 1})

    def without(self, name: str) -> ClusterRecord:
        """Without a node that there is."""
        number = int(name.removeprefix("node"))
        return self.model_copy(update={"version": 3, "removed": (*self.removed, number)})

    def write(self, folder: Path) -> None:
        """Replace the record in one step; while no node was removed, as older releases read it."""
        fields = {"removed"} if self.version == 1 else set()
        write_atomically(self.file_in(folder), self.model_dump_json(indent=2, exclude=fields) + "\n", is_synced=True)

    @classmethod
    def read(cls, folder: Path) -> ClusterRecord:
        """See ``_Record.read``; the sockets of a folder that was copied or moved are not those of the original."""
        record = super().read(folder)
        if record.sockets.name != _key(folder):
            return record.model_copy(update={"sockets": socket_folder(folder, create=False)})
        return record


class NamedRecord(_Record):
    """The record of a named cluster."""

    version: Literal[2]
    """Of this file's format; records of version 1 are of private clusters."""
    kind: Literal["named"]
    description: NamedDescription
    """What the cluster file said when it was last given."""


def is_named(folder: Path) -> bool:
    """Whether a folder's record is one of a named cluster; one that cannot be read is not."""
    try:
        content = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("kind") == "named"


def private_folder(folder: Path) -> Path:
    """Make a folder that only its owner may enter, or make one that is there such a folder.

    Raises:
        UserError: it belongs to another user.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        try:
            folder.chmod(0o700)
        except PermissionError as error:
            raise UserError(
                f"others may enter {folder}, and it is not yours to shut", remedy="name a folder of your own"
            ) from error
    return folder


def require_text(folder: Path) -> None:
    """UserError when a path is not UTF-8: not every library takes it."""
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the name of {folder} is not UTF-8", remedy="name another folder") from error


def is_free(folder: Path) -> bool:
    """True when a cluster may be made here: the folder is missing, or holds at most what a killed start wrote first."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(_FIRST_FILES.fullmatch(entry.name) for entry in folder.iterdir())


@contextlib.contextmanager
def exclusive(folder: Path, *, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the folder's lock; ClusterError (retryable) when another command keeps it for ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while (handle := _try_lock(folder)) is None:
        if time.monotonic() > deadline:
            raise ClusterError(f"another command is working on cluster {folder}", remedy="try later", retryable=True)
        time.sleep(POLL_S)
    try:
        yield
    finally:
        os.close(handle)


def socket_folder(folder: Path, *, create: bool) -> Path:
    """The folder for the sockets of the cluster in ``folder``: below $XDG_RUNTIME_DIR, else below /tmp."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    is_usable = runtime.is_absolute() and len(os.fsencode(runtime)) <= LONGEST_BASE and _is_private(runtime)
    base = runtime / "skyshard" if is_usable else Path("/tmp") / f"skyshard-{os.getuid()}"
    found = base / _key(folder)
    if create:
        _make_private(base)
        _make_private(found)
    return found


def _try_lock(folder: Path) -> int | None:
    """An open handle that holds the lock, or None when it is held elsewhere or the folder was just replaced."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UserError(f"cluster folder {folder}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(folder)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _key(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]


def _make_private(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not _is_private(folder):
        raise ClusterError(
            f"{folder} is not a folder that only you may enter", remedy="remove it, or set XDG_RUNTIME_DIR"
        )


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
