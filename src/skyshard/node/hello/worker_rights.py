"""Users and rights of a worker and of files beside it, and why a server cannot use what a worker wrote."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from skyshard.host.users import user_name

AS_ONE_USER = (
    "run both as one user; or the server with UMASK=0664 and UMASK_DIR=0770 in its environment, and the worker in the "
    "server's group with umask 007"
)


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose a file is, and who may use it."""

    user: int
    group: int
    mode: int
    """Permission bits only."""

    @staticmethod
    def of(file: Path) -> Owned:
        """Those of a file or folder. Raises OSError."""
        found = file.stat()
        return Owned(found.st_uid, found.st_gid, found.st_mode & 0o777)


@dataclass(frozen=True, slots=True)
class Worker:
    """The process that writes images."""

    user: int
    umask: int

    @staticmethod
    def here() -> Worker:
        """This process."""
        return Worker(os.geteuid(), own_umask())


def own_umask() -> int:
    """The umask of this process, read without setting it; 022 where the system does not tell."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o022


def why_not_entered(folder: Path, owned: Owned, worker: Worker) -> tuple[str, str]:
    """What is wrong with a folder of a server that its worker may not enter, and the remedy.

    >>> why_not_entered(Path("/data/sky"), Owned(999999, 999999, 0o700), Worker(999998, 0o022))[0]
    'its worker runs as user 999998 and may not write to /data/sky, which is that of user 999999 (mode 0700)'
    """
    what = f"may not write to {folder}, which is that of user {user_name(owned.user)} (mode {owned.mode:04o})"
    return f"its worker runs as user {user_name(worker.user)} and {what}", AS_ONE_USER


def why_not_used(server: int, written: Owned, worker: Worker) -> tuple[str, str] | None:
    """What keeps a server of this user from a file that its worker wrote, and the remedy; None where rights do not.

    >>> why_not_used(999999, Owned(999999, 7, 0o660), Worker(999999, 0o022)) is None
    True
    >>> why_not_used(999999, Owned(999998, 7, 0o640), Worker(999998, 0o022))[0]
    'its server runs as user 999999 and cannot use what its worker, user 999998 with umask 022, writes (mode 0640)'
    """
    is_writable = written.user == server or server == 0 or written.mode & 0o060 == 0o060
    if is_writable and written.user == server:
        return None
    who = f"its worker, user {user_name(worker.user)} with umask {worker.umask:03o}, writes (mode {written.mode:04o})"
    return f"its server runs as user {user_name(server)} and cannot use what {who}", AS_ONE_USER
