"""Names of databases as they are given: a stored name that is given once, and names for people that are all different.

Rules: stored names for people's names that a database had before begin with ``_``, which no name of people does.
Whoever gives a name holds ``Registry.naming`` from looking until it is written.
"""

from __future__ import annotations

import re
from collections.abc import Set

import sqlalchemy as sa

from skyshard.basics.errors import UserError
from skyshard.registry.stored import sql_tables as t

LONGEST = 56
"""Characters of a database's name, so that names of director indexes find room."""
_SHORT = 24
"""So long a stored name may be, whatever it stands for."""
_MADE = re.compile(r"_(\d+)_")


def stored_name(shown: str, taken: Set[str]) -> str:
    """The stored name of a new database; a long one is no longer than what people call it, so that tables whose names
    fit beside the first one fit beside each.

    Args:
        taken: stored names that were given, also to databases that are dropped since.

    >>> stored_name("hsc", {"dp1"}), stored_name("hsc", {"hsc"}), stored_name("dp1", {"hsc", "_2_hsc", "dp1"})
    ('hsc', '_2_hsc', '_3_dp1')
    """
    if shown not in taken:
        return shown
    last = max((int(found.group(1)) for name in taken if (found := _MADE.match(name))), default=1)
    return f"_{last + 1}_{shown}"[: max(len(shown), _SHORT)].rstrip("_")


def require_free(connection: sa.Connection, name: str) -> None:
    """Refuse a name that a database or an alias has.

    Raises:
        UserError: says which.
    """
    if connection.scalar(sa.select(t.databases.c.state).where(t.databases.c.shown == name)) is not None:
        raise UserError(f"there is a database '{name}'", remedy="give another name, or rename or drop that one")
    if connection.scalar(sa.select(t.aliases.c.name).where(t.aliases.c.name == name)) is not None:
        raise UserError(f"'{name}' is an alias", remedy=f"give another name, or `skyshard alias --remove {name}`")
