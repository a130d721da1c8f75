"""Users of this host."""

from __future__ import annotations

import pwd


def user_name(user: int) -> str:
    """A user as people know it: by name where the host has one, else by number, as in containers."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
