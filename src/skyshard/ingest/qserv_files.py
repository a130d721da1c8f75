"""The small files of Qserv's catalog layouts, JSON and YAML, and what data files show in their first line.

Reads files; decides nothing about tables (``qserv_layout`` does).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skyshard.errors import UserError
from skyshard.layout import Striping, parse_yaml

Json = Mapping[str, Any]

_SEPARATORS = (b"\t", b",", b"|", b";")
_BY_ENDING = {".tsv": b"\t", ".csv": b",", ".txt": b"\t"}
DATA_ENDINGS = tuple(_BY_ENDING)


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror}", remedy="check the path") from None


def read_json(path: Path, default: Json | None = None) -> Json:
    """A JSON object; ``default`` where the file is missing, if one is given."""
    if default is not None and not path.exists():
        return default
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"'{path}' line {error.lineno} is not JSON: {error.msg}", remedy="mend the file") from None
    except (RecursionError, ValueError) as error:
        raise UserError(f"'{path}' cannot be read as JSON: {error}", remedy="mend the file") from None
    if not isinstance(content, dict):
        raise UserError(f"'{path}' is no JSON object", remedy="mend the file")
    return content


def read_yaml(path: Path) -> Json:
    content = parse_yaml(read_text(path), f"'{path}'")
    return content if isinstance(content, dict) else {}


def striping_of(database: Json, common: Json, where: Path) -> Striping:
    """Striping by the database's JSON, else by the partitioner's common configuration."""
    part = common.get("part", {})
    try:
        return Striping(
            stripes=database.get("num_stripes", part.get("num-stripes")),
            substripes=database.get("num_sub_stripes", part.get("num-sub-stripes")),
            overlap_deg=database.get("overlap", part.get("default-overlap", part.get("overlap"))),
        )
    except ValueError:
        raise UserError(
            f"'{where}' does not say how to stripe the sky",
            remedy="give num_stripes, num_sub_stripes and overlap in the database's JSON file",
        ) from None


def mark_byte(text: str) -> bytes:
    """One dialect mark as a byte; JSON files spell some with a backslash."""
    named = {"\\t": "\t", "\\n": "\n", "\\\\": "\\", '\\"': '"', "\\'": "'"}
    return named.get(text, text)[:1].encode("latin1")


def separator_of(file: Path, declared: str | None, widths: Sequence[int]) -> tuple[bytes, int]:
    """The separator of a data file, and how many fields its first line has by it.

    The declared one is taken where it gives one of the widths, else the first usual one that does.
    """
    ending = next((ending for ending in _BY_ENDING if ending in file.name), ".tsv")
    marks = ([mark_byte(declared)] if declared else []) + [_BY_ENDING[ending], *_SEPARATORS]
    line = first_line(file)
    for mark in marks:
        if line.count(mark) + 1 in widths:
            return mark, line.count(mark) + 1
    return marks[0], line.count(marks[0]) + 1 if line else widths[0]


def first_line(file: Path) -> bytes:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            return stream.readline(1 << 20)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"'{file}' is a broken gzip file: {error}", remedy="copy the file again") from None
    except OSError as error:
        raise UserError(f"cannot read '{file}': {error.strerror}", remedy="check the file") from None
