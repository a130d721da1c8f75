"""Names and texts in SQL, quoted."""

from __future__ import annotations

from pymysql.converters import escape_string

from skyshard.basics.errors import UserError

MAX_NAME_CHARACTERS = 64


def quote_name(name: str) -> str:
    """A name in backticks for use in SQL text.

    >>> quote_name("Object_6630")
    '`Object_6630`'
    """
    if not name or len(name) > MAX_NAME_CHARACTERS or name != name.rstrip() or "\0" in name or "/" in name:
        raise UserError(
            f"{name!r} is no name for a database, table or column",
            remedy=f"use 1 to {MAX_NAME_CHARACTERS} letters, digits and underscores",
        )
    return "`" + name.replace("`", "``") + "`"


def quote_text(text: str) -> str:
    r"""A string literal for the places of SQL where the driver's arguments do not reach (file names, comments).

    >>> print(quote_text("it's"))
    'it\'s'
    """
    return str(escape_string(text).join("''"))
