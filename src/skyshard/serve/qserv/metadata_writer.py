"""What was registered and contributed, as a folder with ``metadata.json``; files are linked, not copied."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.serve.qserv.ingest_state import Contribution, Registered, charset_of, require_name

METADATA = "metadata.json"
TAKEN = ("database", "metadata")
"""What no table is called: files beside its own."""


def write_metadata(folder: Path, registered: Registered, contributed: Sequence[Contribution] = ()) -> Path:
    """The folder of a database with all its tables, and the rows of contributions.

    Raises:
        UserError: contributions of one table that are written in different ways, or in several character sets; a
            table whose name is none.
    """
    charsets = {charset_of(one.charset) for one in contributed} or {"latin1"}
    if len(charsets) > 1:
        raise UserError(
            f"contributions are in {' and '.join(sorted(charsets))}", remedy="write all in one character set"
        )
    database = {
        "database": registered.database, "num_stripes": registered.stripes, "overlap": registered.overlap_deg,
        "num_sub_stripes": registered.substripes,
    }  # fmt: skip
    entries = [_entry(folder, name, table, contributed) for name, table in registered.tables.items()]
    _write(folder / "database.json", database)
    content = {"version": 12, "database": "database.json", "charset_name": charsets.pop(), "formats": {}}
    _write(folder / METADATA, content | {"tables": entries})
    return folder


def _entry(folder: Path, name: str, table: dict[str, Any], contributed: Sequence[Contribution]) -> dict[str, Any]:
    """A table as ``metadata.json`` lists it; its JSON and links to its files are written."""
    rows = [one for one in contributed if one.table == name]
    dialects = {json.dumps(one.dialect, sort_keys=True) for one in rows}
    if len(dialects) > 1:
        raise UserError(f"contributions to table '{name}' differ in their dialect", remedy="write all in one dialect")
    dialect = json.loads(dialects.pop()) if dialects else {}
    _write(folder / f"{require_name('table', name, taken=TAKEN)}.json", {"table": name, **table, **dialect})
    return {"schema": f"{name}.json", "indexes": [], "data": [_linked(folder, one) for one in rows]}


def _linked(folder: Path, one: Contribution) -> dict[str, Any]:
    """The file of a contribution, under the name that its chunk has."""
    place = folder / f"c{one.id}"
    place.mkdir()
    overlap = "_overlap" if one.is_overlap else ""
    name = "rows.txt" if one.chunk < 0 else f"chunk_{one.chunk}{overlap}.txt"
    (place / name).symlink_to(one.path)
    if one.chunk < 0:
        return {"directory": place.name, "files": [name]}
    return {"directory": place.name, "overlaps" if one.is_overlap else "chunks": [one.chunk]}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))
