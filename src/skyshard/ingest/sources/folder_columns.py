"""Folders whose names give a column's value, such as ``band=g``: Hive's way to spread a table's rows. No I/O.

HATS spreads catalogs in the same way; its folders say where a file lies on the sky, and nothing that its rows do not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePath
from urllib.parse import unquote

from skyshard.basics.errors import UserError

_COLUMN = re.compile(r"([A-Za-z_]\w*)=(.*)")
_NULL = "__HIVE_DEFAULT_PARTITION__"
_PLACES = ("Norder", "Dir", "Npix")
"""Of HATS."""


def first_column(path: PurePath) -> int | None:
    """Which of a path's folders is the first that gives a column's value; None where none does.

    >>> first_column(PurePath("objects/band=g/a.parquet")), first_column(PurePath("objects/a.parquet"))
    (1, None)
    """
    return next((at for at, name in enumerate(path.parts[:-1]) if _COLUMN.fullmatch(name)), None)


def folder_values(path: PurePath) -> dict[str, str | None]:
    """The values that folders of a path give, as texts; letters that no folder may have are written as in addresses.

    Raises:
        UserError: such letters are not UTF-8.

    >>> folder_values(PurePath("sky/band=g/name=a%2Fb/night=__HIVE_DEFAULT_PARTITION__/band=.parquet"))
    {'band': 'g', 'name': 'a/b', 'night': None}
    """
    given = [found for name in path.parts[:-1] if (found := _COLUMN.fullmatch(name))]
    return {one[1]: None if one[2] == _NULL else _unquoted(one[0], one[2]) for one in given}


def _unquoted(folder: str, text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise UserError(f"folder '{folder}' has letters that are not UTF-8", remedy="rename the folder") from None


def lost_columns(paths: Iterable[PurePath], known: Collection[str]) -> dict[str, str]:
    """The columns that names of folders give and nothing takes, each with the first folder that gives it.

    Args:
        paths: of the files, below the folder of the catalog.
        known: columns that files have or that are taken, in any case.

    >>> lost_columns([PurePath("band=g/night=7/a.parquet"), PurePath("Norder=1/Npix=7.parquet")], ["Night"])
    {'band': 'band=g'}
    """
    taken = {name.lower() for name in (*_PLACES, *known)}
    found: dict[str, str] = {}
    for path in paths:
        for name in path.parts[:-1]:
            if (given := _COLUMN.fullmatch(name)) and given[1].lower() not in taken:
                found.setdefault(given[1], name)
    return found


def lost_note(lost: Mapping[str, str], advice: str = "") -> tuple[str, ...]:
    """What is to be said of columns that ``lost_columns`` found.

    >>> lost_note({"band": "band=g"}, "; declare them")
    ('1 columns left out, only folders have their values: band (band=g); declare them',)
    """
    named = ", ".join(f"{name} ({part})" for name, part in lost.items())
    return (f"{len(lost)} columns left out, only folders have their values: {named}{advice}",) if lost else ()
