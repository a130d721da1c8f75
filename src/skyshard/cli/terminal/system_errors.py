"""Errors of the operating system as errors of Skyshard: what failed, at which file, and the remedy.

Errors that reach the end of a command are mapped here; code that knows more maps them before.
"""

from __future__ import annotations

import errno
import os

from skyshard.basics.errors import ClusterError, SkyshardError, UserError

_ROOM = "make room, or write elsewhere"
_RIGHTS = "change its rights, or name another place"
_LIMIT = "raise the limit (`ulimit -a` shows it), or end other processes"

USERS = {
    errno.ENOENT: "name one that exists",
    errno.ENOTDIR: "name a place below a folder",
    errno.EISDIR: "name a file, not a folder",
    errno.EEXIST: "name another one, or remove it",
    errno.ENOTEMPTY: "name an empty folder",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ELOOP: "resolve its circle of links",
    errno.EBADF: "it is closed; open it, or use --out FILE where a command has it",
    errno.EINVAL: "name another place",
}
"""Errors that the user can fix (names and rights), with the remedy."""
MACHINES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), or write elsewhere",
    errno.EROFS: "name a place that can be written",
    errno.EMFILE: _LIMIT,
    errno.ENFILE: _LIMIT,
    errno.EAGAIN: _LIMIT,
    errno.ENOMEM: "free memory, or ask for less at a time",
    errno.EIO: "check the device",
}
"""Errors of the machine (space, memory, devices), with the remedy."""


def trouble_of(error: BaseException) -> SkyshardError | None:
    """The error to show for one of the operating system or of Python's limits; None for any other."""
    if isinstance(error, MemoryError):
        return ClusterError("there is not enough memory", remedy=MACHINES[errno.ENOMEM])
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return ClusterError("the system starts no more threads", remedy=_LIMIT)
    if isinstance(error, UnicodeEncodeError) and "\udc80" <= error.object[error.start] <= "\udcff":
        return UserError(f"the name '{error.object}' is not UTF-8", remedy="rename it")
    if isinstance(error, OSError) and error.errno is not None:
        return _of_system(error, error.errno)
    return None


def _of_system(error: OSError, number: int) -> SkyshardError:
    if error.filename is None and number == errno.ENOENT and _is_adrift():
        return UserError("the working folder is gone", remedy="change to a folder that exists")
    reason = error.strerror or os.strerror(number)
    if "usable temporary directory" in reason:
        return ClusterError(
            f"there is no folder for temporary files: {reason}", remedy="make /tmp writable, or set TMPDIR"
        )
    what = f"{_shown(error.filename)}: {reason}" if error.filename is not None else f"the system refuses: {reason}"
    if number in USERS:
        return UserError(what, remedy=USERS[number])
    return ClusterError(what, remedy=MACHINES.get(number, "check the machine, then run it again"))


def _shown(filename: object) -> str:
    text = os.fsdecode(filename) if isinstance(filename, bytes) else str(filename)
    return text if text.startswith("standard ") else f"'{text}'"


def _is_adrift() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False
