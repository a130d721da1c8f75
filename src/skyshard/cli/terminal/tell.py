"""What people are told beside a command's output."""

from __future__ import annotations

import sys


def tell(words: str) -> None:
    """One line on standard error."""
    print(f"skyshard: {words}", file=sys.stderr, flush=True)
