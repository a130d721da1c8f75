"""Checks the name that a database is to have, before anything is touched or written. No I/O."""

from __future__ import annotations

import re

from skyshard.basics.errors import UserError

_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,55}")
_OURS = re.compile(r"skyshard(_.*)?", re.IGNORECASE)
_SERVERS = re.compile(
    r"mysql|sys|information_schema|performance_schema"
    r"|ibdata\d+|ibtmp\d+|ib_logfile\d+|ib_buffer_pool|undo\d+|aria_log(_.*)?",
    re.IGNORECASE,
)
"""Schemas of every server, and files in its data folder, where a database is a folder."""


def require_database_name(name: str, *, is_new: bool = True) -> None:
    """Refuse a name under which a catalog would meet what is not its own; one that is there keeps its name.

    Raises:
        UserError: letters that the server writes differently in file names, the server's own, or ours.
    """
    remedy = "use --database with another name"
    if not _DATABASE.fullmatch(name):
        raise UserError(
            f"'{name}' is no usable database name", remedy="use --database with letters, digits and _, at most 56"
        )
    if _OURS.fullmatch(name):
        raise UserError(f"'{name}' is a name of Skyshard's own databases", remedy=remedy)
    if _SERVERS.fullmatch(name):
        raise UserError(f"'{name}' is a name of the database server's own", remedy=remedy)
    if is_new and ("__" in name or name.endswith("_")):
        raise UserError(
            f"'{name}' is no usable database name: director indexes are called <database>__<director>",
            remedy="use --database with a name without '__', that ends with a letter or digit",
        )
