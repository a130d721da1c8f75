"""Errors as clients are told them: in one line, without places of this host. No I/O."""

from __future__ import annotations

import re

from skyshard.basics.errors import SkyshardError, UserError, words_of

_PATH = re.compile(r"(?<![\w)`])(?:/[\w.+@-]+){2,}/?")


def without_paths(words: str) -> str:
    """What servers say, without places of their host.

    >>> without_paths("node1: /run/sky/node1.sock: no server answers"), without_paths("near 'a/b/c'")
    ('node1: (a path): no server answers', "near 'a/b/c'")
    """
    return _PATH.sub("(a path)", words)


def told(error: SkyshardError, words: str = "") -> str:
    """What an error, or a part of it, says; paths stay where it is about what the client gave."""
    words = words or words_of(error)
    return words if isinstance(error, UserError) else without_paths(words)
