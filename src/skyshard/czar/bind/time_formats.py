"""A pass: formats and locales of DATE_FORMAT and TIME_FORMAT whose letters the czar's servers may lack are refused. No
I/O.

What these functions give is in the character set of the session, whatever their format is in: the czar's is latin1, so
a letter that latin1 lacks would come out as a question mark.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.czar.bind.bound_statement import COLUMN, Bound
from skyshard.czar.sql.statement import place

FORMATS = frozenset(("DATE_FORMAT", "TIME_FORMAT"))
_HELD = ("latin1", "ascii")
_OTHER_LETTERS = frozenset(
    ("ar", "be", "bg", "cs", "el", "gu", "he", "hi", "hr", "hu", "ja", "ka", "ko", "lt", "lv", "mk", "mn", "pl", "ro",
     "ru", "sk", "sl", "sr", "ta", "te", "th", "tr", "uk", "ur", "vi", "zh")
)  # fmt: skip
"""Languages in which names of months or days have letters that latin1 lacks."""
_OF_BYTES = ("UNHEX", "FROM_BASE64")


def refuse_time_formats(bound: Bound) -> Bound:
    """A format is a text of the statement, or comes from columns in latin1; a locale is one of a language in latin1.

    Raises:
        Refusal: it may hold other letters.
    """
    if not bound.functions & FORMATS:
        return bound
    for call in bound.tree.find_all(exp.Anonymous):
        if call.name.upper() in FORMATS and len(call.expressions) > 1:
            _require_latin_names(call)
            for odd in _odd_parts(bound, call.expressions[1]):
                raise Refusal(
                    "time-format",
                    f"{call.name.upper()}() has a format in other letters than latin1's{place(odd) or place(call)}",
                    remedy="CONVERT(... USING latin1), or write the format as a text",
                )
    return bound


def _require_latin_names(call: exp.Anonymous) -> None:
    """Names of months and days are in the language of a locale; an unknown one is English to the server."""
    for locale in call.expressions[2:]:
        is_said = isinstance(locale, exp.Literal | exp.Null)
        if not is_said or locale.name[:2].lower() in _OTHER_LETTERS:
            what = f"{call.name.upper()}() has a locale with other letters than latin1's{place(locale) or place(call)}"
            raise Refusal("time-format", what, remedy="name one that latin1 holds as a text, such as 'de_DE'")


def _odd_parts(bound: Bound, format_: exp.Expr) -> Iterator[exp.Expr]:
    """Columns, texts and bytes that say, or may have, a character set that latin1 does not hold."""
    for node in format_.walk(prune=_is_in_latin1):
        if isinstance(node, exp.Introducer | exp.Column):
            is_odd = _charset_of(bound, node) not in _HELD
        else:
            is_odd = isinstance(node, exp.Chr | exp.Cast) and _is_made_of_bytes(node)
        if is_odd:
            yield node


def _is_made_of_bytes(node: exp.Chr | exp.Cast) -> bool:
    """CHAR(... USING utf8mb4), or CONVERT(X'...' USING utf8mb4): letters that no text of the statement has."""
    if isinstance(node, exp.Chr):
        return node.args.get("charset") is not None and node.args["charset"].name.lower() not in _HELD
    parts = (exp.HexString, exp.BitString, exp.Chr)
    return node.to.this is exp.DType.CHARACTER_SET and any(
        isinstance(part, parts) or part.name.upper() in _OF_BYTES for part in node.find_all(*parts, exp.Anonymous)
    )


def _is_in_latin1(node: exp.Expr) -> bool:
    """CONVERT(... USING latin1), whose inside may be anything."""
    return isinstance(node, exp.Cast) and str(node.to.args.get("kind") or "").lower() in _HELD


def _charset_of(bound: Bound, node: exp.Introducer | exp.Column) -> str:
    """Of a text that says it, or of a table's column; empty where it is not known."""
    if isinstance(node, exp.Introducer):
        return str(node.this).lstrip("_").lower()
    reference = bound.reference(node)
    if reference is None or reference.table is None:
        return ""
    kind = reference.table.table.with_chunk_columns().column(str(node.meta[COLUMN])).type.text
    return kind.partition(" character set ")[2].partition(" ")[0] or "latin1"
