"""Versions of files: one of a later version than a release reads is refused before anything else in it. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from skyshard.basics.errors import UserError

NEWER = "install a newer release of Skyshard"
"""What to do about a file of a later version."""


def refuse_newer(content: Any, known: Collection[int], what: str) -> None:
    """Refuse content of a later version than those that are read; whatever else is wrong with it is no matter.

    Args:
        known: the versions that are read; none: nothing is refused.
        what: how the error names the content.

    Raises:
        UserError: what, its version, the versions that are read, and the advice to install a newer release.

    >>> refuse_newer({"version": 1}, (1, 2), "'a.json'")
    """
    found = content.get("version") if isinstance(content, Mapping) else None
    if known and isinstance(found, int) and found > max(known):
        read = " and ".join(map(str, sorted(known)))
        raise UserError(
            f"{what}, key 'version': version {found} is of a later release, this one reads {read}", remedy=NEWER
        )
