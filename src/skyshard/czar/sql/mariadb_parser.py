"""The czar's parser: MariaDB's SQL to a tree that keeps what the user wrote, where sqlglot's would change it.

Rules: function calls keep their names (sqlglot would turn ``LOG10(x)`` into ``LOG(10, x)``, and ``DATE_FORMAT`` into a
format of its own), literals keep their spelling (``0x41`` is a number where ``x'41'`` is text), and what MariaDB binds
otherwise than sqlglot is bound as MariaDB does, or refused. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot import parser as sqlglot_parser
from sqlglot.parsers.mysql import MySQLParser
from sqlglot.tokenizer_core import Token, TokenType

from skyshard.basics.errors import UserError
from skyshard.czar.sql.tree_nodes import FEWEST_LISTED, SPELLING, TEXT, TYPED, Arguments, Formula, NumberList


def require_adaptable(parser_file: str) -> None:
    """The parser is adapted by classes of its own, which its compiled form does not allow.

    Raises:
        UserError: the package sqlglotc has replaced it.
    """
    if not parser_file.endswith(".py"):
        raise UserError(
            "the package sqlglotc is installed: the czar's SQL parser cannot be built on a compiled one",
            remedy="pip uninstall sqlglotc",
        )


require_adaptable(sqlglot_parser.__file__)

AGGREGATES: dict[str, type[exp.AggFunc]] = {
    "COUNT": exp.Count, "SUM": exp.Sum, "MIN": exp.Min, "MAX": exp.Max, "AVG": exp.Avg,
}  # fmt: skip
"""The aggregates that can be computed in two steps; every other function call is an ``exp.Anonymous``."""

_SPECIAL_FORMS = {"CAST", "CONVERT", "CHAR", "EXTRACT", "POSITION", "TRIM", "GROUP_CONCAT", "MATCH"}
_PREDICATES = (TokenType.LIKE, TokenType.IN, TokenType.BETWEEN, TokenType.RLIKE)
_COMPARISONS = {**MySQLParser.EQUALITY, **MySQLParser.COMPARISON}
_UNITS = {
    "MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "SECOND_MICROSECOND",
    "MINUTE_MICROSECOND", "MINUTE_SECOND", "HOUR_MICROSECOND", "HOUR_SECOND", "HOUR_MINUTE", "DAY_MICROSECOND",
    "DAY_SECOND", "DAY_MINUTE", "DAY_HOUR", "YEAR_MONTH",
}  # fmt: skip
_SUMS = {TokenType.PLUS: exp.Add, TokenType.DASH: exp.Sub}
_JOIN_WORDS = ("kind", "side", "method", "on", "using")
_LITERALS = (TokenType.NUMBER, TokenType.STRING, TokenType.HEX_STRING, TokenType.BIT_STRING)


def _spelled(parse: Callable[[Any, Token], Any]) -> Callable[[Any, Token], Any]:
    """Let the parser of a literal keep the text that it came from."""

    def parse_and_keep(parser: Any, token: Token) -> Any:
        node = parse(parser, token)
        node.meta[SPELLING] = parser.sql[token.start : token.end + 1]
        return node

    return parse_and_keep


def _is_open_predicate(node: Any) -> bool:
    """True for LIKE, IN, BETWEEN, REGEXP and their like without parentheses of the user's around them."""
    while isinstance(node, (exp.Not, exp.Escape)) or (isinstance(node, exp.Paren) and not node.meta.get(TYPED)):
        node = node.this
    is_sound = isinstance(node, exp.EQ) and isinstance(node.this, exp.Soundex)
    return is_sound or isinstance(node, (exp.In, exp.Between, exp.Like, exp.RegexpLike))


def _alone(parse: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Let the parser of a predicate refuse one that follows another: MariaDB binds the second first in some cases."""

    def parse_alone(parser: Any, this: Any) -> Any:
        if _is_open_predicate(this):
            parser.raise_error("Put parentheses around the first of two predicates")
        return parse(parser, this)

    return parse_alone


_MOMENTS = {
    exp.DType.DATE: "DATE",
    exp.DType.TIME: "TIME",
    exp.DType.TIMESTAMP: "TIMESTAMP",
    exp.DType.TIMESTAMPTZ: "TIMESTAMP",
}


def _as_written(parser: Any, literal: Any, kind: Any) -> Any:
    """TIME'10:00:00.5' stays a literal, as a CAST loses its fraction."""
    return parser.expression(Formula(this=f"{_MOMENTS[kind.this]}{literal.meta.get(SPELLING) or literal.sql('mysql')}"))


def _bare_call(name: str) -> Callable[[Any], Any]:
    """A call that may go without parentheses: a name of its own, never a column."""

    def parse(parser: Any) -> Any:
        has_parentheses = parser._match(TokenType.L_PAREN, advance=False)
        arguments = parser._parse_wrapped_csv(parser._parse_disjunction) if has_parentheses else []
        return parser.expression(exp.Anonymous(this=name, expressions=arguments))

    return parse


class CzarParser(MySQLParser):
    FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {name: kind.from_arg_list for name, kind in AGGREGATES.items()}
    FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
        name: parse for name, parse in MySQLParser.FUNCTION_PARSERS.items() if name in _SPECIAL_FORMS
    } | dict.fromkeys(("SUBSTRING", "SUBSTR", "MID"), lambda parser: parser._parse_substring())
    PRIMARY_PARSERS: ClassVar[dict[TokenType, Callable[..., Any]]] = {
        kind: _spelled(parse) if kind in _LITERALS else parse for kind, parse in MySQLParser.PRIMARY_PARSERS.items()
    }

    NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = MySQLParser.NO_PAREN_FUNCTION_PARSERS | {
        name: _bare_call(name) for name in ("UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP", "CURRENT_ROLE")
    }
    FUNC_TOKENS: ClassVar[set[TokenType]] = MySQLParser.FUNC_TOKENS | {TokenType.DEFAULT}

    RANGE_PARSERS: ClassVar[dict[TokenType, Callable[..., Any]]] = {
        kind: _alone(parse) if kind in _PREDICATES else parse for kind, parse in MySQLParser.RANGE_PARSERS.items()
    }

    TYPE_LITERAL_PARSERS: ClassVar[dict[Any, Callable[..., Any]]] = dict.fromkeys(_MOMENTS, _as_written)

    def _parse_projections(self) -> Any:
        return self._parse_csv(self._parse_item), None

    def _parse_item(self) -> Any:
        """A select item keeps its text; what is between the comma before it and the item is a part of that."""
        is_later = self._prev is not None and self._prev.token_type is TokenType.COMMA
        start = self._prev.end + 1 if is_later else self._curr.start if self._curr is not None else 0
        item = self._parse_expression()
        if item is not None:
            item.meta[TEXT] = self.sql[start : self._prev.end + 1]
        return item

    def _parse_types(self, *args: Any, **kwargs: Any) -> Any:
        """SIGNED and UNSIGNED may be followed by INT as well as by INTEGER."""
        kind = super()._parse_types(*args, **kwargs)
        if kind is not None and self._prev is not None and self._prev.text.upper() in ("SIGNED", "UNSIGNED"):
            self._match(TokenType.INT)
        return kind

    def _parse_in(self, this: Any, *args: Any, **kwargs: Any) -> Any:
        """A long list of whole numbers becomes one node."""
        numbers = self._numbers_ahead()
        if len(numbers) < FEWEST_LISTED:
            return super()._parse_in(this, *args, **kwargs)
        self._advance(2 * len(numbers) + 1)
        return self.expression(exp.In(this=this, expressions=[NumberList(this=", ".join(numbers))]))

    def _numbers_ahead(self) -> list[str]:
        """The whole numbers of a list in parentheses that comes next; none where it holds anything else."""
        start, found = self._index, []
        is_open = start < len(self._tokens) and self._tokens[start].token_type is TokenType.L_PAREN
        for at in range(start + 1, len(self._tokens) - 1, 2) if is_open else ():
            number, after = self._tokens[at], self._tokens[at + 1].token_type
            if number.token_type is not TokenType.NUMBER or not number.text.isdecimal():
                return []
            found.append(number.text)
            if after is TokenType.R_PAREN:
                return found
            if after is not TokenType.COMMA:
                return []
        return []

    def _parse_substring(self) -> Any:
        """``SUBSTRING(text FROM place FOR length)`` is the call with commas."""
        arguments: list[Any] = self._parse_csv(self._parse_disjunction)
        for word in (TokenType.FROM, TokenType.FOR):
            if len(arguments) in (1, 2) and self._match(word):
                arguments.append(self._parse_disjunction())
        return self.expression(exp.Anonymous(this="SUBSTRING", expressions=arguments))

    def _parse_paren(self) -> Any:
        """Parentheses of the user's are marked, as the parser adds some of its own."""
        paren = super()._parse_paren()
        if isinstance(paren, exp.Paren):
            paren.meta[TYPED] = True
        return paren

    def _parse_join(self, *args: Any, **kwargs: Any) -> Any:
        """A bare JOIN without ON becomes CROSS JOIN, as a comma binds less tightly than JOIN."""
        is_comma = self._curr is not None and self._curr.token_type is TokenType.COMMA
        join = super()._parse_join(*args, **kwargs)
        if isinstance(join, exp.Join) and not is_comma and not any(join.args.get(key) for key in _JOIN_WORDS):
            join.set("kind", "CROSS")
        return join

    def _parse_equality(self, parse_is: bool = True) -> Any:
        """``=``, ``<=>``, ``<`` and their like bind alike, from left to right."""
        this = self._parse_range()
        while True:
            index = self._index
            if self._match_set(_COMPARISONS):
                this = self._build_predicate(_COMPARISONS[self._prev.token_type], this, self._parse_range())
            elif parse_is and self._is_predicate_ahead():
                this = self._parse_range(this, parse_is=True)
            if self._index == index:
                return this

    def _parse_range(self, this: Any = None, parse_is: bool = False) -> Any:
        """``a SOUNDS LIKE b`` is an equality of two sounds that binds as LIKE does."""
        made = super()._parse_range(this, parse_is=parse_is)
        if made is this or not isinstance(made, exp.EQ) or not isinstance(made.this, exp.Soundex):
            return made
        if isinstance(made.this.this, exp.Not) or _is_open_predicate(made.this.this):
            self.raise_error("Put parentheses around the first of two predicates")
        return self.expression(exp.Paren(this=made))

    def _parse_term(self, parse_mod: bool = True) -> Any:
        """Sums: an interval after a sign ends with its unit; COLLATE binds more tightly than any operator."""
        this = self._parse_factor(parse_mod=parse_mod)
        while self._match_set(_SUMS):
            kind = _SUMS[self._prev.token_type]
            other = self._parse_amount() or self._parse_factor(parse_mod=parse_mod)
            this = self.expression(kind(this=this, expression=other))
        return this

    def _parse_unary(self) -> Any:
        this = super()._parse_unary()
        while this is not None and self._match(TokenType.COLLATE):
            this = self.expression(exp.Collate(this=this, expression=self._parse_collation()))
        return this

    def _parse_collation(self) -> Any:
        """The name after COLLATE, bare or quoted as a name or a text."""
        return self._parse_string() or self._parse_var(any_token=True) or self._parse_id_var()

    def _parse_cube_or_rollup(self, with_prefix: bool = False) -> Any:
        """A part of GROUP BY, perhaps with ASC or DESC; ROLLUP is behind all parts only."""
        if with_prefix:
            return super()._parse_cube_or_rollup(with_prefix)
        part = self._parse_disjunction()
        if part is None or not self._match_set((TokenType.ASC, TokenType.DESC)):
            return part
        is_descending = self._prev.token_type is TokenType.DESC
        return self.expression(exp.Ordered(this=part, desc=is_descending, nulls_first=not is_descending))

    def _parse_interval(self, require_interval: bool = True, parse_function_unit: bool = True) -> Any:
        """``INTERVAL amount unit + moment``, where the moment may be a comparison."""
        this = self._parse_amount()
        if isinstance(this, exp.Interval) and self._match(TokenType.PLUS):
            return self.expression(exp.Add(this=this, expression=self._parse_equality()))
        return this

    def _parse_amount(self) -> Any:
        """``INTERVAL amount unit``, the amount as written; ``INTERVAL(a, b ...)`` is a function."""
        start = self._index
        if not self._match(TokenType.INTERVAL):
            return None
        amount = self._parse_paren() if self._match(TokenType.L_PAREN, advance=False) else None
        if isinstance(amount, exp.Tuple):
            return self.expression(exp.Anonymous(this="INTERVAL", expressions=amount.expressions))
        self._retreat(start + 1)
        amount = self._parse_bitwise()
        unit = self._parse_var(any_token=True, upper=True)
        if amount is None or unit is None or unit.name not in _UNITS:
            self._retreat(start)
            return None
        return self.expression(exp.Interval(this=amount, unit=unit))

    def _parse_group_concat(self) -> Any:
        """Several arguments stay several: ORDER BY may call them by position; ('a', 'bc') and ('ab', 'c') differ."""
        is_distinct = self._match(TokenType.DISTINCT)
        parts = self._parse_csv(self._parse_disjunction)
        this: exp.Expr = exp.Distinct(expressions=parts) if is_distinct else Arguments(expressions=parts)
        if not is_distinct and len(parts) == 1:
            this = parts[0]
        if self._match(TokenType.ORDER_BY):
            this = self.expression(exp.Order(this=this, expressions=self._parse_csv(self._parse_ordered)))
        separator = self._parse_field() if self._match(TokenType.SEPARATOR) else None
        limit: Any = self._parse_limit(this)
        if limit is not this and self._match(TokenType.OFFSET):
            limit.set("offset", self._parse_term())
        return self.expression(exp.GroupConcat(this=limit, separator=separator))
