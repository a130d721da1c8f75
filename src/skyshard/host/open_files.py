"""How many files and sockets this process may have open."""

from __future__ import annotations

import resource

MOST = 65_536
"""More helps no door, and some programs close as many as they may have when they start."""


def open_files_limit() -> int:
    """What the kernel lets it open now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else soft


def raise_open_files() -> tuple[int, int]:
    """Allow as many as the process may have without rights; before and after."""
    before = open_files_limit()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if wanted > before:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return before, max(before, wanted)
