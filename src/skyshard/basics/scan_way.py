"""Ways in which scans are answered. Values only."""

from __future__ import annotations

from typing import Literal, get_args

from skyshard.basics.errors import UserError

ScanWay = Literal["auto", "rows", "columns"]
"""``columns``: from column images wherever these are and the proof holds; ``auto``: where many rows are read, too."""
SCAN_WAYS: tuple[str, ...] = get_args(ScanWay)


def require_way(way: str) -> ScanWay:
    """The way of a name.

    Raises:
        UserError: there is no such way.
    """
    for known in get_args(ScanWay):
        if way == known:
            return known  # type: ignore[no-any-return]
    raise UserError(f"there is no scan way '{way}'", remedy=f"take one of {', '.join(SCAN_WAYS)}")
