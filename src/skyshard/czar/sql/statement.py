"""From the text of a statement to its tree: what may be asked at all, and how the result columns are called.

Rules: one statement, and only one that reads. Everything else is refused here, with its place in the text, before any
name is looked up. No I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from skyshard.basics.errors import Refusal, UserError
from skyshard.czar.sql.dialect import DIALECT, render
from skyshard.czar.sql.function_places import BARE, Place, place_of
from skyshard.czar.sql.item_names import name_items, select_names

ROOTS = (TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN)
WRITING = {
    "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "GRANT", "REVOKE",
    "LOCK", "UNLOCK", "FLUSH", "RESET", "OPTIMIZE", "REPAIR", "ANALYZE", "IMPORT", "INSTALL", "UNINSTALL", "KILL",
    "SHUTDOWN", "PURGE", "CHANGE", "MERGE", "COMMIT", "ROLLBACK", "SAVEPOINT", "START", "BEGIN", "XA",
}  # fmt: skip
OPEN_VALUES = (TokenType.PLACEHOLDER, TokenType.COLON)
VARIABLES = (TokenType.PARAMETER, TokenType.SESSION_PARAMETER, TokenType.COLON_EQ)
_OPENING = (TokenType.SELECT, TokenType.DISTINCT, TokenType.FROM, TokenType.WHERE, TokenType.L_PAREN)
_CLOSING = (
    TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.ORDER_BY, TokenType.HAVING, TokenType.LIMIT,
    TokenType.R_PAREN, TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT,
)  # fmt: skip
"""Before, and behind which no comma stands."""
UNITS_FIRST = {"TIMESTAMPDIFF", "TIMESTAMPADD", "GET_FORMAT"}
"""Functions whose first argument is a bare word, not a column."""


class Show(StrEnum):
    """The statements that are answered from the catalog."""

    COLUMNS = "columns"
    TABLES = "tables"
    DATABASES = "databases"


@dataclass(frozen=True, slots=True)
class ShowStatement:
    kind: Show
    database: str = ""
    table: str = ""
    is_full: bool = False
    like: str = ""


@dataclass(frozen=True, slots=True)
class SelectStatement:
    """``names``: the name of each item of the outer select list as MariaDB would call it, None where it is a star.

    ``words``: the tokens of the text in upper case; ``functions``: the names of what it calls, those of standard SQL's
    own grammar (CAST, TRIM ...) left out.
    """

    text: str
    tree: exp.Query
    names: tuple[str | None, ...]
    words: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()


_NAME = r"(?:`((?:[^`]|``)+)`|([0-9A-Za-z_$]+))"
_LIKE = re.compile(r"(\s*SHOW\b.*?)(?<!\s)\s++LIKE\s+'((?:[^'\\]|\\.|'')+)'\s*+;?\s*+$", re.IGNORECASE | re.DOTALL)
_SHOWS: tuple[tuple[Show, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"\s*{pattern}\s*+;?\s*+$", re.IGNORECASE))
    for kind, pattern in (
        (Show.COLUMNS, rf"SHOW\s+(?P<full>FULL\s+)?(?:COLUMNS|FIELDS)\s+(?:FROM|IN)\s+{_NAME}\s*\.\s*{_NAME}"),
        (
            Show.COLUMNS,
            rf"SHOW\s+(?P<full>FULL\s+)?(?:COLUMNS|FIELDS)\s+(?:FROM|IN)\s+{_NAME}(?:\s+(?:FROM|IN)\s+{_NAME})",
        ),
        (Show.COLUMNS, rf"SHOW\s+(?P<full>FULL\s+)?(?:COLUMNS|FIELDS)\s+(?:FROM|IN)\s+{_NAME}"),
        (Show.COLUMNS, rf"DESC(?:RIBE)?\s+{_NAME}\s*\.\s*{_NAME}"),
        (Show.COLUMNS, rf"DESC(?:RIBE)?\s+{_NAME}"),
        (Show.TABLES, rf"SHOW\s+(?P<full>FULL\s+)?TABLES\s+(?:FROM|IN)\s+{_NAME}"),
        (Show.TABLES, r"SHOW\s+(?P<full>FULL\s+)?TABLES"),
        (Show.DATABASES, r"SHOW\s+(?:DATABASES|SCHEMAS)"),
    )
)


def parse_statement(text: str) -> SelectStatement | ShowStatement:
    """Read one statement.

    Raises:
        UserError: it does not parse.
        Refusal: it writes, is of an unknown kind, or holds something that is not answered.

    >>> parse_statement("SELECT ra,  COUNT( * ) FROM Object").names
    ('ra', 'COUNT( * )')
    >>> parse_statement("desc lsst.Object")
    ShowStatement(kind=<Show.COLUMNS: 'columns'>, database='lsst', table='Object', is_full=False, like='')
    """
    try:
        tokens = DIALECT.tokenize(text)
    except TokenError as error:
        raise UserError(f"syntax error: {_one_line(str(error))}", remedy="close every quote and comment") from None
    _check_comments(tokens)
    tokens = _without_last_semicolon(tokens)
    if not tokens:
        raise UserError("the statement is empty", remedy="give one SELECT")
    shown = _show_statement(text)
    if shown is not None:
        return shown
    _check_kind(tokens)
    tree = _parse(tokens, text)
    _check_tree(tree, tokens)
    names = select_names(tree)
    name_items(tree)
    words = frozenset(token.text.upper() for token in tokens)
    called = frozenset(node.name.upper() for node in tree.find_all(exp.Anonymous)) | words & BARE
    return SelectStatement(text, tree, names, words, called)


def place(node: exp.Expr | Token | None) -> str:
    """Where in the text a node or token is, as the end of a message; empty where it is not known.

    >>> place(DIALECT.tokenize("SELECT  x")[1])
    ' (line 1, column 9)'
    """
    if isinstance(node, Token):
        return f" (line {node.line}, column {node.col - len(_token_text(node)) + 1})"
    for part in node.walk() if node is not None else ():
        if "col" in part.meta and "start" in part.meta:
            column = part.meta["col"] - (part.meta["end"] - part.meta["start"])
            return f" (line {part.meta['line']}, column {column})"
    return ""


def _token_text(token: Token) -> str:
    return "x" * (token.end - token.start + 1)


def _one_line(text: str) -> str:
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())


def _without_last_semicolon(tokens: list[Token]) -> list[Token]:
    end = len(tokens)
    while end and tokens[end - 1].token_type is TokenType.SEMICOLON:
        end -= 1
    return tokens[:end]


def _check_comments(tokens: list[Token]) -> None:
    for token in tokens:
        if any(comment.startswith(("!", "M!")) for comment in token.comments):
            raise Refusal(
                "executable-comment",
                f"a comment that the server would run{place(token)}",
                remedy="write it as plain SQL, or leave it out",
            )


def _show_statement(text: str) -> ShowStatement | None:
    wanted = _LIKE.match(text)
    like = wanted.group(2).replace("''", "'") if wanted else ""
    text = wanted.group(1) if wanted else text
    for kind, pattern in _SHOWS:
        match = pattern.match(text)
        if match:
            groups = match.groupdict()
            parts = [part for name, part in enumerate(match.groups()) if part and part != groups.get("full")]
            names = [part.replace("``", "`") for part in parts]
            full = bool(groups.get("full"))
            if kind is Show.TABLES:
                return ShowStatement(kind, database=names[0] if names else "", is_full=full, like=like)
            if kind is Show.DATABASES:
                return ShowStatement(kind, like=like)
            is_dotted = "." in re.sub(r"`[^`]*`", "", text)
            database, table = (names if is_dotted else names[::-1]) if len(names) == 2 else ("", names[0])
            return ShowStatement(kind, database, table, full, like)
    return None


def _check_kind(tokens: list[Token]) -> None:
    first = tokens[0]
    for index, token in enumerate(tokens):
        if token.token_type is TokenType.SEMICOLON:
            raise Refusal(
                "several-statements", f"more than one statement{place(tokens[index])}", remedy="send them one by one"
            )
    word = first.text.upper()
    if word in WRITING:
        raise Refusal(
            "writes", f"{word} changes data or the server{place(first)}", remedy="load data with `skyshard ingest`"
        )
    if first.token_type not in ROOTS:
        raise Refusal(
            "not-a-query",
            f"statements that begin with '{first.text[:40]}' are not answered{place(first)}",
            remedy="ask with SELECT, WITH, SHOW COLUMNS, SHOW TABLES, SHOW DATABASES or DESCRIBE",
        )
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        _check_neighbours(before, token, after)


def _check_neighbours(before: Token | None, token: Token, after: Token | None) -> None:
    if before is not None and before.token_type is TokenType.DOT:
        return
    if token.token_type is TokenType.COMMA and not _is_between(before, after):
        where = f"line {token.line}, column {token.col}"
        raise UserError(f"syntax error at {where}: a comma with nothing before or behind it")
    if before is not None and (before.token_type, token.token_type) == (TokenType.NATIONAL_STRING, TokenType.STRING):
        raise UserError(f"syntax error: a text follows N'...'{place(token)}", remedy="write both as one text")
    word, following = token.text.upper(), after.text.upper() if after else ""
    is_after_number = before is not None and before.token_type is TokenType.NUMBER
    if is_after_number and token.token_type in (TokenType.NUMBER, TokenType.DOT):
        raise UserError(f"syntax error at line {token.line}, column {token.col}: a number follows a number")
    if token.token_type is TokenType.INTO:
        raise Refusal("writes", f"SELECT ... INTO writes{place(token)}", remedy="use `skyshard query --out FILE`")
    if (word, following) in (("FOR", "UPDATE"), ("LOCK", "IN"), ("FOR", "SHARE")) and token.token_type not in (
        TokenType.IDENTIFIER,
        TokenType.STRING,
    ):
        raise Refusal("writes", f"locking reads are not answered{place(token)}", remedy="leave the clause out")
    if word == "PROCEDURE" and following == "ANALYSE":
        raise Refusal("writes", f"PROCEDURE is not answered{place(token)}", remedy="leave the clause out")


def _is_between(before: Token | None, after: Token | None) -> bool:
    """False for a comma that separates nothing, which the parser would leave out."""
    is_first = before is None or before.token_type in (*_OPENING, TokenType.COMMA)
    return not is_first and after is not None and after.token_type not in _CLOSING


def _parse(tokens: list[Token], text: str) -> exp.Query:
    try:
        trees = DIALECT.parser().parse(tokens, text)
    except ParseError as error:
        raise UserError(syntax_error(error)) from None
    tree = _unwrapped(trees[0])
    if not isinstance(tree, exp.Query):
        raise Refusal("not-a-query", "this is not a query", remedy="ask with SELECT")
    for nested in reversed(list(tree.find_all(exp.Subquery))):
        _take_in(nested)
    for offset in tree.find_all(exp.Offset):
        _limit(offset)
    return tree


ALL_ROWS = 2**64 - 1
"""A LIMIT that keeps all rows."""


def _limit(offset: exp.Offset) -> None:
    """An OFFSET alone is one of all rows: of a derived table MariaDB 10.11 passes over it."""
    query = offset.parent
    if query is not None and query.args.get("limit") is None:
        query.set("limit", exp.Limit(expression=exp.Literal.number(ALL_ROWS)))


_OUTSIDE = ("with_", "order", "limit", "offset")
"""What may stand outside of a query's parentheses, and is its own."""


def _take_in(nested: exp.Subquery) -> None:
    """Names behind the parentheses of a nested query are those inside of them, none of the query around."""
    if not any(nested.args.get(key) is not None for key in _OUTSIDE):
        return
    inner = _unwrapped(nested.copy())
    if isinstance(nested.parent, exp.Subquery | exp.CTE):  # MariaDB takes no WITH in doubled parentheses
        nested.replace(inner)
        return
    nested.set("this", inner)
    for key in _OUTSIDE:
        nested.set(key, None)


def _unwrapped(tree: exp.Expr | None) -> exp.Expr | None:
    """A query without parentheses around it; what is named, sorted or cut outside of them is done to it itself."""
    if not isinstance(tree, exp.Subquery):
        return tree
    inner = _unwrapped(tree.this)
    outside = {key: part for key in _OUTSIDE if (part := tree.args.get(key)) is not None}
    if inner is None or not outside:
        return inner
    if any(inner.args.get(key) is not None for key in ("limit", "offset")):
        alias = exp.TableAlias(this=exp.to_identifier("q"))
        inner = exp.select("*").from_(exp.Subquery(this=inner, alias=alias), copy=False)
    for key, part in outside.items():
        inner.set(key, part)
    return inner


_OF_PARSER = re.compile(r" for <class '[\w.]+'>$")
"""How the parser calls a part of its own trees."""


def syntax_error(error: ParseError) -> str:
    first = error.errors[0] if error.errors else {}
    if not first:
        return f"syntax error: {_one_line(str(error))[:160]}"
    near = _one_line(f"{first.get('highlight') or ''}{first.get('end_context') or ''}")[:40]
    what = _OF_PARSER.sub("", _one_line(str(first.get("description") or "")).rstrip("."))
    return f"syntax error at line {first.get('line')}, column {first.get('col')} near '{near}': {what}"


def _check_tree(tree: exp.Query, tokens: list[Token]) -> None:
    for node in tree.walk():
        if isinstance(node, exp.Placeholder):
            mark = next((token for token in tokens if token.token_type in OPEN_VALUES), None)
            raise Refusal("placeholder", f"'{render(node)}' has no value{place(mark)}", remedy="write the value itself")
        if isinstance(node, (exp.Parameter, exp.SessionParameter, exp.PropertyEQ)):
            raise Refusal(
                "variable",
                f"variables such as '{render(node)[:40]}' are not kept between statements"
                f"{place(next((token for token in tokens if token.token_type in VARIABLES), None))}",
                remedy="write the value itself",
            )
        if isinstance(node, exp.Anonymous):
            _check_function(node)
        elif isinstance(node, exp.Select):
            _drop_hints(node)
            _drop_parentheses(node)
            _sort_groups(node, is_sorted=node is tree or node.args.get("limit") is not None)
        elif isinstance(node, exp.Fetch):
            _plain_limit(node)
        elif isinstance(node, exp.Between) and node.args.get("symmetric") is not None:
            raise UserError(f"syntax error: SYMMETRIC is not known{place(node)}", remedy="put the lower value first")
        elif isinstance(node, exp.Table):
            _check_table(node)


def _check_function(node: exp.Anonymous) -> None:
    name = node.name.upper()
    if place_of(name) is Place.REFUSED:
        raise Refusal("function", f"{name}() is not answered{place(node)}", remedy="leave it out")
    if isinstance(node.parent, exp.Dot):
        raise Refusal("function", f"stored functions are not answered: {name}(){place(node)}", remedy="leave it out")
    first = node.expressions[0] if node.expressions else None
    if name in UNITS_FIRST and isinstance(first, exp.Column) and not first.table:
        first.replace(exp.Var(this=first.name))


def _plain_limit(node: exp.Fetch) -> None:
    """FETCH FIRST n ROWS ONLY is LIMIT n."""
    options = node.args.get("limit_options")
    if options is None or not (options.args.get("with_ties") or options.args.get("percent")):
        node.replace(exp.Limit(expression=node.args.get("count") or exp.Literal.number(1)))


def _drop_hints(select: exp.Select) -> None:
    """Hints change how a statement runs, not what it answers; chunk tables may lack the index they name."""
    select.set("hint", None)
    select.set("operation_modifiers", None)
    source = select.args.get("from_")
    if source is not None and isinstance(source.this, exp.Table) and source.this.name.upper() == "DUAL":
        select.set("from_", None)


def _drop_parentheses(select: exp.Select) -> None:
    """In GROUP BY and ORDER BY a name or a position in parentheses is what it is without them."""
    for clause in filter(None, map(select.args.get, ("group", "order"))):
        for part in clause.find_all(exp.Paren):
            is_term = part.parent is clause or (isinstance(part.parent, exp.Ordered) and part.parent.parent is clause)
            if is_term and isinstance(inner := part.unnest(), exp.Column | exp.Literal | exp.Boolean):
                part.replace(inner)


def _sort_groups(select: exp.Select, *, is_sorted: bool) -> None:
    """GROUP BY with ASC and DESC sorts as ORDER BY would, where there is none and the order can be seen."""
    group = select.args.get("group")
    if group is None or len(group.args) > 1 or not any(isinstance(part, exp.Ordered) for part in group.expressions):
        return
    parts = group.expressions
    terms = [part if isinstance(part, exp.Ordered) else exp.Ordered(this=part, nulls_first=True) for part in parts]
    if is_sorted and select.args.get("order") is None:
        select.set("order", exp.Order(expressions=[term.copy() for term in terms]))
    group.set("expressions", [term.this for term in terms])


def _check_table(node: exp.Table) -> None:
    node.set("hints", None)
    extra = [key for key in ("partition", "version", "sample", "when", "rows_from", "changes") if node.args.get(key)]
    if extra or not isinstance(node.this, exp.Identifier) or node.args.get("catalog"):
        raise Refusal("table-source", f"'{render(node)[:60]}' is not a plain table{place(node)}", remedy="name a table")
