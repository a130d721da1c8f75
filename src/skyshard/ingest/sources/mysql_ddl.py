"""Reads CREATE TABLE texts of MySQL dumps into Table.

Read with a tokenizer, not by patterns: names may be quoted, definitions may hold commas and comments. Types go on as
they are spelled; the server judges them.

>>> text = "CREATE TABLE `T` (`id` bigint(20) NOT NULL, x float DEFAULT NULL, PRIMARY KEY (`id`)) ENGINE=MyISAM"
>>> table = parse_create_table(text, "T.schema")
>>> [(column.name, column.type.text, column.is_nullable) for column in table], table.primary_key
([('id', 'bigint(20)', False), ('x', 'float', True)], ('id',))
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace

from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column, Key, Table
from skyshard.rowimage.sqltype import SqlType, parse_type

_ATTRIBUTES = {
    "NOT", "NULL", "DEFAULT", "AUTO_INCREMENT", "COMMENT", "PRIMARY", "UNIQUE", "KEY",
    "ON", "CHECK", "GENERATED", "AS", "VIRTUAL", "PERSISTENT", "STORED", "REFERENCES", "INVISIBLE",
}  # fmt: skip
_CHARSET = re.compile(r"\b(?:charset|char(?:acter)?\s+set)\s*=?\s*['\"`]?(\w+)", re.IGNORECASE)
_COLLATE = re.compile(r"\bcollate\s*=?\s*['\"`]?(\w+)", re.IGNORECASE)
_KEY_WORDS = {"PRIMARY", "UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL", "CONSTRAINT", "FOREIGN", "CHECK"}


@dataclass(slots=True)
class _Definition:
    """One comma-separated item between the outer parentheses: its tokens and the text they came from."""

    text: str
    tokens: list[Token]
    upper: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.upper = [
            "" if token.token_type in (TokenType.IDENTIFIER, TokenType.STRING) else token.text.upper()
            for token in self.tokens
        ]

    def slice(self, first: int, last: int) -> str:
        """The source text from token ``first`` up to but not including token ``last``."""
        return self.text[self.tokens[first].start : self.tokens[last - 1].end + 1] if last > first else ""


def parse_create_table(text: str, where: str) -> Table:
    """Read the first CREATE TABLE statement of a text.

    Args:
        where: what to call the text in errors, usually its path.

    Raises:
        UserError: no such statement, or a definition that cannot be read.
    """
    text = re.sub(r"/\*.*?\*/;?", "", text, flags=re.DOTALL)
    try:
        tokens = MySQL.Tokenizer().tokenize(text)
    except SqlglotError as error:
        raise UserError(f"'{where}' is not SQL: {' '.join(str(error).split())}", remedy="fix the file") from None
    name, definitions, options = _split(text, tokens, where)
    columns: list[Column] = []
    keys: list[Key] = []
    primary: tuple[str, ...] = ()
    for item in definitions:
        if item.upper[0].split(" ")[0] in _KEY_WORDS:
            primary = _read_key(item, keys) or primary
        else:
            column, is_primary = _read_column(item, where)
            columns.append(_in_default_charset(column, options))
            primary = (column.name,) if is_primary else primary
    return Table(name, tuple(columns), primary, tuple(keys))


def parse_column(name: str, definition: str, where: str) -> Column:
    """Read a column as Qserv's ingest JSON spells it, e.g. ``bigint(20) NOT NULL``."""
    text = f"`{name}` {definition}"
    return _read_column(_Definition(text, MySQL.Tokenizer().tokenize(text)), where)[0]


def _split(text: str, tokens: list[Token], where: str) -> tuple[str, list[_Definition], str]:
    """The table's name, its definitions, and the text of its options."""
    words = [token.text.upper() for token in tokens]
    start = next((i for i in range(len(words) - 1) if words[i] == "CREATE" and "TABLE" in words[i + 1 : i + 3]), None)
    opening = next((i for i in range(start or 0, len(words)) if tokens[i].token_type is TokenType.L_PAREN), None)
    if start is None or opening is None:
        raise UserError(
            f"'{where}' holds no CREATE TABLE statement",
            remedy="give one MySQL table definition a file, or leave it out with --tables",
        )
    name = tokens[opening - 1].text
    definitions: list[list[Token]] = [[]]
    depth = 0
    end = len(text)
    for token in tokens[opening:]:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth == 0:
            end = token.end + 1
            break
        if depth == 1 and token.token_type is TokenType.COMMA:
            definitions.append([])
        elif not (depth == 1 and token.token_type is TokenType.L_PAREN):
            definitions[-1].append(token)
    else:
        raise UserError(f"'{where}' ends inside the definition of table '{name}'", remedy="the file is cut off")
    return name, [_Definition(text, item) for item in definitions if item], text[end:].partition(";")[0]


def _in_default_charset(column: Column, options: str) -> Column:
    """The column with the table's character set and collation, where these are not MariaDB's own for latin1."""
    collation = _COLLATE.search(options)
    charset = _CHARSET.search(options)
    named = collation.group(1).lower() if collation else ""
    used = charset.group(1).lower() if charset else named.partition("_")[0]
    if (used or "latin1", named or "latin1_swedish_ci") == ("latin1", "latin1_swedish_ci"):
        return column
    return replace(column, type=column.type.in_charset(used or "latin1", named))


def _read_column(item: _Definition, where: str) -> tuple[Column, bool]:
    heads = [word.split(" ")[0] for word in item.upper]
    stop = next((i for i in range(1, len(heads)) if heads[i] in _ATTRIBUTES), len(heads))
    name = item.tokens[0].text
    collated = next((i for i in range(stop, len(heads) - 1) if heads[i] == "COLLATE"), None)
    collation = f" {item.slice(collated, collated + 2)}" if collated is not None else ""
    try:
        sql_type = parse_type(item.slice(1, stop) + collation)
    except UserError as error:
        raise UserError(f"'{where}', column '{name}': {error.what}", remedy=error.remedy) from None
    words = " ".join(item.upper).split()
    pairs = set(itertools.pairwise(words))
    is_primary = ("PRIMARY", "KEY") in pairs
    is_nullable = ("NOT", "NULL") not in pairs and not is_primary
    return Column(name, sql_type, is_nullable, _default(item, sql_type)), is_primary


def _default(item: _Definition, sql_type: SqlType) -> str | None:
    """The text after DEFAULT; NULL and defaults of generated keys are left to the server."""
    if "DEFAULT" not in item.upper or sql_type.is_blob:
        return None
    start = item.upper.index("DEFAULT") + 1
    stop = start + 1
    if start < len(item.upper) and item.upper[start] in ("-", "B", "X"):
        stop += 1
    text = item.slice(start, stop)
    return None if text.upper() == "NULL" else text


def _read_key(item: _Definition, keys: list[Key]) -> tuple[str, ...]:
    """Add a secondary key, or return the columns of the primary key."""
    opening = next((i for i, token in enumerate(item.tokens) if token.token_type is TokenType.L_PAREN), None)
    kind = set(" ".join(item.upper[:opening]).split())
    if opening is None or kind & {"FOREIGN", "CHECK", "FULLTEXT", "SPATIAL"}:
        return ()
    columns: list[str] = []
    depth = 0
    for token in item.tokens[opening:]:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth == 1 and token.token_type not in (TokenType.L_PAREN, TokenType.COMMA, TokenType.R_PAREN):
            if token.text.upper() not in ("ASC", "DESC"):
                columns.append(token.text)
        elif depth == 2 and token.token_type is not TokenType.L_PAREN:
            columns[-1] += f"({token.text})"
        if depth == 0:
            break
    if "PRIMARY" in kind:
        return tuple(columns)
    before = item.tokens[opening - 1]
    named = item.upper[opening - 1] not in ("KEY", "INDEX", "UNIQUE", "UNIQUE KEY", "BTREE", "HASH")
    keys.append(Key(before.text if named else "_".join(columns)[:60], tuple(columns), "UNIQUE" in kind))
    return ()
