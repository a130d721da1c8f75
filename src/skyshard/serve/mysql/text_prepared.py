"""PREPARE, EXECUTE, EXECUTE IMMEDIATE and DEALLOCATE PREPARE as text: what they say, and the values of a session's
variables. No I/O.

Rule: a statement is taken from one literal or one variable, values from variables only: what is asked of the client's
session on the server is made here, of names.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from skyshard.serve.mysql.definitions import BINARY_CHARSET, INTEGERS, ColumnType, Flag
from skyshard.serve.mysql.parameters import DECIMALS, Parameter
from skyshard.serve.mysql.server_session import SmallResult
from skyshard.serve.mysql.session_state import SessionState

_NAME = r"(?:`[^`\\]+`|[0-9A-Za-z_$\x80-\U0010ffff]+)"
_VARIABLE = r"@(?:`[0-9A-Za-z_$. -]+`|[0-9A-Za-z_$.]+)"
_LITERAL = r"(?:'(?:[^'\\]|\\.|'')*+'|\"(?:[^\"\\]|\\.|\"\")*+\")"
_END = r"\s*+;?\s*+\Z"
_PREPARE = re.compile(rf"PREPARE\s+({_NAME})\s+FROM\s+({_LITERAL}|{_VARIABLE}){_END}", re.I | re.DOTALL)
_USING = rf"(?:\s+USING\s+({_VARIABLE}(?:\s*,\s*{_VARIABLE})*))?"
_EXECUTE = re.compile(rf"EXECUTE\s+({_NAME}){_USING}{_END}", re.I)
_IMMEDIATE = re.compile(rf"EXECUTE\s+IMMEDIATE\s*({_LITERAL}|{_VARIABLE}){_USING}{_END}", re.I | re.DOTALL)
_FORGET = re.compile(rf"(?:DEALLOCATE|DROP)\s+PREPARE\s+({_NAME}){_END}", re.I)


class Verb(StrEnum):
    """What is done with a statement that has a name, or is answered at once without one."""

    PREPARE = "PREPARE"
    EXECUTE = "EXECUTE"
    IMMEDIATE = "EXECUTE IMMEDIATE"
    FORGET = "DEALLOCATE PREPARE"


@dataclass(frozen=True, slots=True)
class TextPrepared:
    """One such statement; ``source`` is the literal or variable with the text, ``variables`` have the values."""

    verb: Verb
    name: str
    source: str = ""
    variables: tuple[str, ...] = ()


def text_prepared(sql: str) -> TextPrepared | None:
    """A statement without what leads it; None where it says anything else.

    >>> text_prepared("EXECUTE S USING @a, @b;")
    TextPrepared(verb=<Verb.EXECUTE: 'EXECUTE'>, name='s', source='', variables=('@a', '@b'))
    """
    if found := _PREPARE.match(sql):
        return TextPrepared(Verb.PREPARE, _plain(found[1]), found[2])
    if found := _EXECUTE.match(sql):
        return TextPrepared(Verb.EXECUTE, _plain(found[1]), "", _each(found[2]))
    if found := _IMMEDIATE.match(sql):
        return TextPrepared(Verb.IMMEDIATE, "", found[1], _each(found[2]))
    if found := _FORGET.match(sql):
        return TextPrepared(Verb.FORGET, _plain(found[1]))
    return None


def _plain(name: str) -> str:
    return name.strip("`").lower()


def _each(variables: str | None) -> tuple[str, ...]:
    return tuple(re.findall(_VARIABLE, variables or ""))


def ask_values(variables: Sequence[str]) -> str:
    """The statement whose row :func:`values_of` reads: each value, its letters in UTF-8, its bytes."""
    asked = ", ".join(f"{one}, HEX(CONVERT({one} USING utf8mb4)), HEX({one})" for one in variables)
    return f"SELECT {asked} LIMIT 1"  # which the session's own limit may not be


def values_of(found: SmallResult, state: SessionState) -> list[Parameter]:
    """The values of variables, as if they had been bound; texts in the session's character set."""
    row = found.values()[0]
    made = []
    for place, column in enumerate(found.columns[::3]):
        value, letters, raw = row[3 * place : 3 * place + 3]
        if value is None:
            made.append(Parameter(ColumnType.VAR_STRING, False, None))
        elif column.type in INTEGERS:
            is_unsigned = bool(column.flags & Flag.UNSIGNED)
            packed = struct.pack("<Q" if is_unsigned else "<q", int(value))
            made.append(Parameter(ColumnType.LONGLONG, is_unsigned, packed))
        elif column.type in (ColumnType.FLOAT, ColumnType.DOUBLE):
            made.append(Parameter(ColumnType.DOUBLE, False, struct.pack("<d", float(value))))
        elif column.type in DECIMALS:
            made.append(Parameter(ColumnType.NEWDECIMAL, False, value))
        elif column.charset == BINARY_CHARSET:
            made.append(Parameter(ColumnType.BLOB, False, bytes.fromhex((raw or b"").decode())))
        else:
            text = bytes.fromhex((letters or b"").decode()).decode()
            made.append(Parameter(ColumnType.VAR_STRING, False, state.letters(text)))
    return made
