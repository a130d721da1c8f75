"""Secrets in files that nobody else may read: passwords of accounts, the token of Ray."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from skyshard.basics.errors import UserError

LONGEST = 512


def read_secret(file: Path | str, what: str) -> str:
    """The one line of a file, without the line break at its end.

    The file must be its owner's alone (mode 0600); one of root's may be read by its group, as secrets of containers
    are.

    Args:
        what: what errors call the secret.

    Raises:
        UserError: no such file, one that others may read, or one without a secret.
    """
    file = Path(file)
    try:
        with file.open("rb") as opened:
            _require_private(file, what, os.fstat(opened.fileno()))
            text = opened.read(LONGEST + 2).decode("ascii").rstrip("\r\n")
    except OSError as error:
        raise UserError(f"{what} file {file}: {error.strerror}", remedy="write it, with mode 0600") from None
    except UnicodeDecodeError:
        raise UserError(f"{what} file {file} is not ASCII", remedy="write it anew") from None
    if not 1 <= len(text) <= LONGEST or not text.isprintable():
        raise UserError(f"{what} file {file} holds no {what} of 1 to {LONGEST} characters", remedy="write one line")
    return text


def _require_private(file: Path, what: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{what} file {file} is no file", remedy="write it, with mode 0600")
    of_group = stat.S_IRGRP if found.st_uid == 0 != os.geteuid() else 0
    if found.st_mode & 0o077 & ~of_group:
        raise UserError(f"others may read {what} file {file}", remedy=f"chmod 600 {file}")
