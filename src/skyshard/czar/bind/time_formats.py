"""A pass: formats of DATE_FORMAT and TIME_FORMAT whose letters the czar's servers may lack are refused. No I/O.

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


def refuse_time_formats(bound: Bound) -> Bound:
    """A format is a text of the statement, or comes from columns in latin1.

    Raises:
        Refusal: it may hold other letters.
    """
    if not bound.functions & FORMATS:
        return bound
    for call in bound.tree.find_all(exp.Anonymous):
        if call.name.upper() in FORMATS and len(call.expressions) > 1:
            for odd in _odd_parts(bound, call.expressions[1]):
                raise Refusal(
                    "time-format",
                    f"{call.name.upper()}() has a format in other letters than latin1's{place(odd) or place(call)}",
                    remedy="CONVERT(... USING latin1), or write the format as a text",
                )
    return bound


def _odd_parts(bound: Bound, format_: exp.Expr) -> Iterator[exp.Expr]:
    """Columns and texts that say, or may have, a character set that latin1 does not hold."""
    for node in format_.walk(prune=_is_in_latin1):
        if isinstance(node, exp.Introducer | exp.Column) and _charset_of(bound, node) not in _HELD:
            yield node


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
