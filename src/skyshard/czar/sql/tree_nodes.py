"""What trees hold beyond sqlglot's: nodes of our own, and what nodes keep of the user's writing in their ``meta``.

Rules: values only; ``mariadb_parser`` makes them, ``mariadb_generator`` writes them. No I/O.
"""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp

SPELLING = "spelling"
"""Key in a literal's ``meta``: the literal as the user wrote it."""
TEXT = "text"
"""Key in the ``meta`` of a select item: the item as the user wrote it, with the comments that MariaDB counts as its."""
TYPED = "typed"
"""Key in the ``meta`` of parentheses that the user wrote."""


class Formula(exp.Expression, exp.Condition):
    """An expression that this program wrote: text, in which marks with numbers stand for the parts of ``expressions``.

    One node instead of some fifty: trees are copied and rendered several times for each statement.
    """

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False}


class NumberList(Formula):
    """The whole numbers of a long IN list as one node: a list of 10,000 is copied and walked through as one."""

    @property
    def numbers(self) -> list[str]:
        """The numbers as written."""
        return str(self.this).split(", ")


class Arguments(exp.Expression):
    """Several arguments where sqlglot has a place for one: those of GROUP_CONCAT, which ORDER BY counts."""

    arg_types: ClassVar[dict[str, bool]] = {"expressions": True}


class MadeFirst(exp.Subquery):
    """An operand of a set operation that the server makes by itself, as a derived table, before the operation."""

    @property
    def is_wrapper(self) -> bool:
        """It is more than parentheses, which are left out where the order is the same without."""
        return False


FORMULA_MARK = "\x03"
FEWEST_LISTED = 32
"""A shorter IN list has a node for each number."""
