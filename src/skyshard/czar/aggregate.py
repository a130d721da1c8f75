"""Aggregates in two steps: what each chunk computes, and how that is merged.

Rules: any expression of COUNT, SUM, MIN, MAX and AVG, not only these alone. COUNT is merged by SUM, AVG is carried as
SUM and COUNT. Columns that are neither grouped nor aggregated are carried along: any row's value will do, as in one
server. What cannot be merged so raises ``NotMergeable`` and is gathered instead. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from skyshard.czar.bound import REF
from skyshard.czar.clauses import Clauses, is_aggregate
from skyshard.czar.dialect import render
from skyshard.czar.plan import EXACT, Casts


class NotMergeable(Exception):
    """An aggregate that partial results cannot give."""


@dataclass(slots=True, eq=False)
class TwoStep:
    """Chunk and merge parts; a chunk's columns are ``g0..`` (groups), ``a0..`` (aggregates), ``p0..`` (carried)."""

    columns: dict[str, tuple[str, exp.Expr]] = field(default_factory=dict)
    items: list[exp.Expr] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    having: exp.Expr | None = None
    order: list[tuple[exp.Expr, bool]] = field(default_factory=list)

    @property
    def divided(self) -> frozenset[str]:
        """Columns that sum or compare quotients: a DECIMAL quotient has more digits inside MariaDB than it shows."""
        return frozenset(
            name for name, part in self.columns.values() if is_aggregate(part) and any(part.find_all(exp.Div, exp.Avg))
        )

    def cast(self, casts: Casts) -> list[tuple[str, exp.Expr]]:
        """The chunk columns, some of them cast."""
        return [
            (name, _cast(part, casts[name]) if name in casts else part.copy()) for name, part in self.columns.values()
        ]

    @property
    def has_carried(self) -> bool:
        return any(name.startswith("p") for name, _ in self.columns.values())

    def column(self, prefix: str, expression: exp.Expr) -> exp.Column:
        """The chunk column that holds an expression; equal expressions share one."""
        text = f"{prefix}:{render(expression)}"
        if text not in self.columns:
            number = sum(name.startswith(prefix) for name, _ in self.columns.values())
            self.columns[text] = (f"{prefix}{number}", expression.copy())
        return exp.column(self.columns[text][0])


def _cast(part: exp.Expr, kind: str) -> exp.Expr:
    wanted = exp.DataType.build(kind, dialect="mysql")
    if kind == EXACT:
        return type(part)(this=exp.Cast(this=part.this.copy(), to=wanted))
    return exp.Cast(this=part.copy(), to=wanted)


def split(clauses: Clauses) -> TwoStep:
    """Split the aggregates of a SELECT.

    Raises:
        NotMergeable: DISTINCT inside an aggregate, or an aggregate other than the five.
    """
    steps = TwoStep()
    grouped: dict[str, exp.Expr] = {}
    for part in clauses.group:
        if isinstance(part, (exp.Rollup, exp.Cube, exp.GroupingSets)):
            raise NotMergeable("GROUP BY with totals")
        column = steps.column("g", part)
        steps.groups.append(column.name)
        if not isinstance(part.unnest(), exp.Literal):
            grouped[render(part.unnest())] = column
    merge = _Merge(steps, grouped)
    steps.items = [merge.of(item) for item in clauses.items]
    steps.having = merge.of(clauses.having) if clauses.having is not None else None
    steps.order = [(merge.of(term.expression), term.is_descending) for term in clauses.order]
    return steps


@dataclass(frozen=True, slots=True)
class _Merge:
    steps: TwoStep
    grouped: dict[str, exp.Expr]

    def of(self, expression: exp.Expr) -> exp.Expr:
        """The merge expression of a select item, a HAVING condition or an ORDER BY term."""
        holder = exp.Paren(this=expression.copy()).transform(self._replace, copy=False)
        return exp.Paren(this=holder.this) if isinstance(holder.this, exp.Condition) else holder

    def _replace(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Paren):
            return node
        found = self.grouped.get(render(node)) if isinstance(node, exp.Condition) else None
        if found is not None:
            return found.copy()
        if is_aggregate(node):
            return self._aggregate(node)
        if isinstance(node, exp.Column) and REF in node.meta:
            return self.steps.column("p", node)
        return node

    def _aggregate(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node.this, exp.Distinct) or not isinstance(node, (exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg)):
            raise NotMergeable(render(node))
        if node.expressions or any(is_aggregate(part) for part in node.this.walk()):
            raise NotMergeable(render(node))
        if isinstance(node, exp.Avg):
            total = self.steps.column("a", exp.Sum(this=node.this.copy()))
            number = self.steps.column("a", exp.Count(this=node.this.copy()))
            return exp.Paren(this=exp.Div(this=exp.Sum(this=total), expression=exp.Sum(this=number)))
        column = self.steps.column("a", node)
        if isinstance(node, exp.Count):
            summed = exp.Anonymous(this="COALESCE", expressions=[exp.Sum(this=column), exp.Literal.number(0)])
            return exp.Cast(this=summed, to=exp.DataType.build("BIGINT", dialect="mysql"))
        return type(node)(this=column)
