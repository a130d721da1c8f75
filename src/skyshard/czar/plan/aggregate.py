"""Aggregates in two steps: what each chunk computes, and how that is merged.

Rules: any expression of aggregates, not only these alone. COUNT is merged by SUM; AVG is carried as SUM and COUNT;
variances as count, mean and sum of squares about the mean; arguments of DISTINCT are grouped by in each chunk, so that
the merge sees each of them. Columns that are neither grouped nor aggregated are carried along: any row's value will do,
as in one server. What cannot be merged so raises ``NotMergeable`` and is gathered instead. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from skyshard.czar.bind.bound_statement import REF
from skyshard.czar.bind.clauses import Clauses, is_aggregate
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.region_sql import fill

BITS = {"BIT_AND", "BIT_OR", "BIT_XOR"}
"""Aggregates that merge by themselves."""
_SAMPLE = "NULLIF(SUM(_n) - 1, 0)"
_SPREADS = {"VAR_POP": "SUM(_n)", "VARIANCE": "SUM(_n)", "VAR_SAMP": _SAMPLE, "STD": "SUM(_n)", "STDDEV": "SUM(_n)",
            "STDDEV_POP": "SUM(_n)", "STDDEV_SAMP": _SAMPLE}  # fmt: skip
"""Variances and their roots → what the merged sum of squares is divided by."""


class NotMergeable(Exception):
    """An aggregate that partial results cannot give."""


@dataclass(slots=True, eq=False)
class TwoStep:
    """Chunk and merge parts.

    A chunk has columns ``g0..`` (groups), ``a0..`` (aggregates), ``p0..`` (carried), ``d0..`` (arguments of DISTINCT),
    ``s0..`` (those of SUM and AVG of DISTINCT).
    ``means``: column with a chunk's mean → column with its count; the merge needs the overall mean, ``<mean>m``.
    """

    columns: dict[str, tuple[str, exp.Expr]] = field(default_factory=dict)
    items: list[exp.Expr] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    having: exp.Expr | None = None
    order: list[tuple[exp.Expr, bool]] = field(default_factory=list)
    means: dict[str, str] = field(default_factory=dict)

    @property
    def grouping(self) -> list[str]:
        """The columns by which a chunk groups."""
        return [*self.groups, *(name for name, _ in self.columns.values() if name[0] in "ds")]

    def over(self, table: str) -> str:
        """What the merge reads: the partial results, with overall means where they are needed.

        A mean is taken about the least mean of a chunk, so that equal values have no spread at all.

        >>> TwoStep(means={"a2": "a1"}).over("parts")[:83]
        '(SELECT q.*, a2l + SUM(a1 * (a2 - a2l)) OVER () / SUM(a1) OVER () AS a2m FROM (SELE'
        """
        if not self.means:
            return table
        part = f"PARTITION BY {', '.join(dict.fromkeys(self.groups))}" if self.groups else ""
        least = ", ".join(f"MIN({mean}) OVER ({part}) AS {mean}l" for mean in self.means)
        whole = ", ".join(
            f"{mean}l + SUM({count} * ({mean} - {mean}l)) OVER ({part}) / SUM({count}) OVER ({part}) AS {mean}m"
            for mean, count in self.means.items()
        )
        return f"(SELECT q.*, {whole} FROM (SELECT p.*, {least} FROM {table} AS p) AS q) AS r"

    @property
    def divided(self) -> frozenset[str]:
        """Columns that sum or compare quotients: a DECIMAL quotient has more digits inside MariaDB than it shows.

        Not where it groups in a temporary table, whose columns have the digits that they declare.
        """
        if self.is_kept_as_declared:
            return frozenset()
        return frozenset(
            name for name, part in self.columns.values() if is_aggregate(part) and any(part.find_all(exp.Div, exp.Avg))
        )

    @property
    def is_kept_as_declared(self) -> bool:
        """One server has the aggregates of groups in a temporary table, unless it sorts the rows for DISTINCT."""
        return bool(self.groups) and self.groups == self.grouping

    @property
    def different(self) -> frozenset[str]:
        """Arguments of SUM(DISTINCT): one server tells them apart by all their digits, not by those declared."""
        return frozenset(name for name, _ in self.columns.values() if name.startswith("s"))

    @property
    def summed(self) -> frozenset[str]:
        return frozenset(name for name, part in self.columns.values() if isinstance(part, exp.Sum))

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


def split(clauses: Clauses) -> TwoStep:
    """Split the aggregates of a SELECT.

    Raises:
        NotMergeable: an aggregate that depends on the order of rows, or on all of them at once.

    An average is merged from sums and counts, a variance from those and the chunks' means:

    >>> from skyshard.czar.sql.dialect import parse_expression
    >>> items = tuple(map(parse_expression, ("AVG(mag)", "VAR_POP(mag)")))
    >>> steps = split(Clauses(items, (), (), None, (), False, None, 0, True))
    >>> for name, part in steps.columns.values():
    ...     print(f"{name}: {render(part)}")
    a0: SUM(mag)
    a1: COUNT(mag)
    a2: AVG(CAST(mag AS DOUBLE))
    a3: VAR_POP(mag) * COUNT(mag)
    >>> for item in steps.items:
    ...     print(render(item))
    ((SUM(a0) / SUM(a1)))
    (((SUM(a3) + SUM(a1 * POW(a2 - a2m, 2))) / SUM(a1)))
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
        if any(is_aggregate(part) for part in node.walk() if part is not node):
            raise NotMergeable(render(node))
        if isinstance(node, exp.Anonymous):
            return self._named(node)
        if isinstance(node, (exp.Min, exp.Max)) and isinstance(node.this, exp.Distinct):
            (argument,) = node.this.expressions  # the least of different values is the least of all
            return self._aggregate(type(node)(this=argument.copy()))
        if isinstance(node, exp.GroupConcat) or isinstance(node.this, exp.Distinct):
            return self._distinct(node)
        if not isinstance(node, (exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg)) or node.expressions:
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

    def _named(self, node: exp.Anonymous) -> exp.Expr:
        """Bits and variances."""
        name = node.name.upper()
        if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Distinct):
            raise NotMergeable(render(node))
        if name in BITS:
            return exp.Anonymous(this=name, expressions=[self.steps.column("a", node)])
        if name not in _SPREADS:
            raise NotMergeable(render(node))
        return self._spread(name, node.expressions[0])

    def _spread(self, name: str, argument: exp.Expr) -> exp.Expr:
        """Variance about the overall mean: within the chunks, and of the chunks' means.

        Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample
        Variances, Stanford STAN-CS-79-773 (1979), equation 1.5b. With 1, 2, 3 in one chunk and 7 in another:

        >>> from statistics import pvariance
        >>> chunks = [(3, 2.0, 2.0), (1, 7.0, 0.0)]  # count, mean, sum of squares about the mean
        >>> whole = sum(count * mean for count, mean, _ in chunks) / 4
        >>> squares = sum(within + count * (mean - whole) ** 2 for count, mean, within in chunks)
        >>> squares / 4, pvariance([1.0, 2.0, 3.0, 7.0])
        (5.1875, 5.1875)
        """
        count = self.steps.column("a", exp.Count(this=argument.copy()))
        mean = self.steps.column("a", fill("AVG(CAST(_x AS DOUBLE))", x=argument))
        within = self.steps.column("a", fill("VAR_POP(_x) * COUNT(_x)", x=argument))
        self.steps.means[mean.name] = count.name
        parts = {"n": count, "mean": mean, "within": within, "whole": exp.column(f"{mean.name}m")}
        spread = f"(SUM(_within) + SUM(_n * POW(_mean - _whole, 2))) / {_SPREADS[name]}"
        return exp.Paren(this=fill(f"SQRT({spread})" if name.startswith("STD") else spread, **parts))

    def _distinct(self, node: exp.Expr) -> exp.Expr:
        """An aggregate over different values: they are grouped by in the chunks."""
        distinct = next(node.find_all(exp.Distinct), None)
        if distinct is None or any(distinct.find_all(exp.Div, exp.Avg)):
            raise NotMergeable(render(node))
        prefix = "s" if isinstance(node, (exp.Sum, exp.Avg)) else "d"
        columns = {render(part): self.steps.column(prefix, part) for part in distinct.expressions}
        copy = node.copy()
        inside = next(copy.find_all(exp.Distinct))
        inside.set("expressions", [columns[render(part)].copy() for part in inside.expressions])
        for term in copy.find_all(exp.Ordered):
            if render(term.this) not in columns:
                raise NotMergeable(render(node))
            term.set("this", columns[render(term.this)].copy())
        return copy
