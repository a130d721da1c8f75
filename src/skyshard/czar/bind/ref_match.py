"""Ref-match tables: a row whose sides lie in two chunks is stored in both; a query sees it once.

Rules: a reference to such a table is read by one ``side``: the copies that are stored with that side's director rows.
The copy of side 1 is the row as one server has it (its flag, its chunk). A key that its director has not leaves a
single copy, which counts as the first side's wherever it is. Trees only, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.catalog.layout import Role
from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN
from skyshard.czar.bind.bound_statement import COLUMN, REF, Block, Bound, Reference, column_of, columns_of
from skyshard.czar.sql.statement import ALL_ROWS


def is_match(reference: Reference) -> bool:
    """True for a reference to a ref-match table."""
    return reference.table is not None and reference.table.layout.role is Role.REF_MATCH


def require_flags(references: Iterable[Reference]) -> None:
    """Refuse a match table whose copies cannot be told apart."""
    for reference in references:
        if is_match(reference) and not _name(reference, "flag"):
            raise Refusal(
                "ref-match",
                f"ref-match table '{reference.alias}' has no flag column, so its rows cannot be told apart",
                remedy="name its flag column in the layout and ingest it again",
            )


Sides = dict[int, int]
"""Number of a match reference → the side by which it is read."""


def possible_sides(bound: Bound, references: Iterable[Reference]) -> list[Sides]:
    """All ways in which match references may be read, the first one by side 1; one empty way where there are none."""
    matches = [reference for reference in references if is_match(reference)]
    choices = [(1, 2) if _may_be_second(bound, one) else (1,) for one in matches]
    numbers = [reference.number for reference in matches]
    return [dict(zip(numbers, chosen, strict=True)) for chosen in product(*choices)]


def read_by(bound: Bound, sides: Sides) -> None:
    """Read match references by these sides from now on."""
    for number, side in sides.items():
        bound.references[number].side = side


def _may_be_second(bound: Bound, reference: Reference) -> bool:
    """The second side's copy has another flag and chunk: only where the statement does not read these."""
    shown = {CHUNK_COLUMN.lower(), SUB_CHUNK_COLUMN.lower(), _name(reference, "flag").lower()}
    asked = {
        column.meta[COLUMN].lower() for column in columns_of(bound.tree) if column.meta.get(REF) == reference.number
    }
    stars = any(bound.tree.find_all(exp.Star))
    return not (asked & shown or stars or reference.has_orphans)


def single(reference: Reference) -> exp.Expr | None:
    """The condition that keeps one copy of each row: that of the side by which the reference is read.

    None where the table has no copies.
    """
    if not is_match(reference):
        return None
    other = exp.Literal.number(3 - reference.side)
    kept: exp.Expr = exp.NEQ(this=column_of(reference, _name(reference, "flag")), expression=other)
    missing = [exp.Is(this=column_of(reference, name), expression=exp.Null()) for name in _side_columns(reference)]
    if missing:
        kept = exp.Or(this=kept, expression=exp.Paren(this=exp.and_(*missing, copy=False)))
    return exp.Paren(this=kept)


def _name(reference: Reference, what: str) -> str:
    """A column of the layout as the table spells it; empty if there is none."""
    assert reference.table is not None
    return reference.find(getattr(reference.table.layout, what)) or ""


def _side_columns(reference: Reference) -> list[str]:
    """The columns that are NULL where the reference's side is missing."""
    assert reference.table is not None
    layout = reference.table.layout
    key, position = (layout.key, layout.position) if reference.side == 1 else (layout.key2, layout.position2)
    names = [reference.find(name) for name in (key, *(position or ())) if name]
    return [name for name in names if name is not None]


def single_rows(bound: Bound) -> Bound:
    """Have match tables read each row once: for a server that holds all copies in one table.

    The condition stands where the statement's own ones do. A derived table takes it only where an outer join leaves no
    place for it, and then one that servers do not merge (``derived_tables``). The tree is changed in place.
    """
    for block in bound.blocks:
        for reference in filter(is_match, block.references):
            reference.side = 1
            condition = single(reference)
            assert condition is not None
            if not reference.is_nullable:
                block.select.where(condition, copy=False)
            elif (join := _only_outer_join(block, reference)) is not None:
                join.set("on", exp.and_(join.args["on"], condition, copy=False))
            else:
                _read_as_derived(reference, condition)
    return bound


def _only_outer_join(block: Block, reference: Reference) -> exp.Join | None:
    """The join that may put NULLs in place of a reference's rows; None if there are several, or it has no ON."""
    sides = ((join, {"LEFT": join.right, "RIGHT": join.left}.get(join.side, ())) for join in block.joins)
    found = [join.node for join, numbers in sides if reference.number in numbers]
    return found[0] if len(found) == 1 and found[0].args.get("on") is not None else None


def _read_as_derived(reference: Reference, condition: exp.Expr) -> None:
    node = reference.node
    alias = exp.TableAlias(this=exp.to_identifier(reference.alias, quoted=True))
    table = exp.table_(node.this.copy(), db=node.args["db"].copy())
    table.set("alias", alias.copy())
    rows = exp.select("*").from_(table).where(condition).limit(ALL_ROWS)
    node.replace(exp.Subquery(this=rows, alias=alias, joins=node.args.get("joins")))
