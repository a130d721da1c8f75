"""Finds texts of JSON columns that the server's own check of such a column refuses. No I/O.

Python loops run over distinct texts only. Numbers that end in a point are refused though the server takes them, as RFC
8259 knows none.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pyarrow as pa

DEEPEST = 31
"""Arrays and objects within one another that MariaDB takes (JSON_DEPTH_LIMIT)."""


def first_broken(values: pa.Array) -> int:
    """Row of the first text that is no JSON; -1 where all are.

    >>> first_broken(pa.array([b'{"a": 1}', None, b"[1,", b"[2,"]))
    2
    """
    distinct = values.dictionary_encode()
    broken = [place for place, raw in enumerate(distinct.dictionary.to_pylist()) if not _is_json(raw)]
    return int(distinct.indices.index(pa.scalar(broken[0], distinct.indices.type)).as_py()) if broken else -1


def _is_json(raw: bytes) -> bool:
    try:
        content = json.loads(raw.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return raw.count(b"[") + raw.count(b"{") <= DEEPEST or _depth(content) <= DEEPEST


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _depth(content: Any) -> int:
    """Arrays and objects within one another."""
    depth, level = 0, [content]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [part for item in level for part in (item.values() if isinstance(item, dict) else item)]
    return depth
