"""Passwords of accounts: files of a folder that nobody else may read, looked up where a connection is made.

So a password is in no argument, no log and no message to another process: what travels is the folder's path.
"""

from __future__ import annotations

from pathlib import Path

from skyshard.host.secret_files import read_secret


def password_of(folder: str, duty: str) -> str:
    """The password in ``folder/duty``.

    Raises:
        UserError: no such file, one that others may read, or one without a password.
    """
    return read_secret(Path(folder) / duty, "password")
