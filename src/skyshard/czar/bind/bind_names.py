"""Binds names: which table and column each name of a statement means, by MariaDB's own rules.

Rules: the tree keeps its shape and the user's spelling; what a name means is noted at it (``meta``), and the
references and blocks are collected. Table names and aliases are compared with case, column names without. A name that
means nothing is a ``UserError`` with a near match, one that means two things as well. No I/O but the catalog look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from skyshard.basics.errors import Refusal, UserError
from skyshard.czar.bind.bound_statement import (
    REF,
    Block,
    Bound,
    Join,
    Reference,
    Visible,
    column_of,
    is_comma,
    nested_queries,
    terms_of,
)
from skyshard.czar.bind.resolve_columns import Resolver, near_or_all
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.item_names import first_select, item_name
from skyshard.czar.sql.statement import SelectStatement, place
from skyshard.registry.catalog.published_catalog import Catalog

SYSTEM_SCHEMAS = {"mysql", "information_schema", "performance_schema", "sys", "skyshard_scratch"}

Catalogs = Callable[[str], Catalog]


def bind(statement: SelectStatement, catalogs: Catalogs, database: str = "", *, has_open_areas: bool = False) -> Bound:
    """Find out what each name means; ``has_open_areas`` as in ``Bound``.

    Raises:
        UserError: an unknown or ambiguous database, table or column.
        Refusal: a system schema, or a table source that is not answered.
    """
    bound = Bound(
        statement.tree, database=database, has_open_areas=has_open_areas, names=statement.names,
        words=statement.words, functions=statement.functions,
    )  # fmt: skip
    binder = _Binder(bound, catalogs, database)
    binder.query(statement.tree, None, {})
    _require_bound(statement.tree)
    binder.require_database()
    return bound


def _require_bound(tree: exp.Expr) -> None:
    """A table that nobody has looked up would be any server's own of that name."""
    for table in tree.find_all(exp.Table):
        if REF not in table.meta:
            raise Refusal(
                "table-source", f"'{render(table)[:60]}' stands where no table is looked up{place(table)}",
                remedy="name it in a FROM clause, or in a derived table",
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Outputs:
    """The columns of a query: their names, and whether there are some whose names are not known."""

    names: tuple[str, ...]
    is_open: bool = False


class _Binder:
    def __init__(self, bound: Bound, catalogs: Catalogs, database: str) -> None:
        self.bound = bound
        self._catalogs = catalogs
        self._database = database
        self._has_asked = not database or database.lower() in SYSTEM_SCHEMAS

    def require_database(self) -> None:
        """The database of names that give none exists, also where no name needed it, as for a client of MariaDB."""
        if not self._has_asked:
            self._catalogs(self._database)

    def query(self, tree: exp.Expr, parent: Block | None, ctes: dict[str, _Outputs]) -> _Outputs:
        ctes = self._with(tree, parent, ctes)
        if isinstance(tree, exp.Select):
            return self._select(tree, parent, ctes)
        if isinstance(tree, (exp.Subquery, exp.SetOperation)):
            outputs = self.query(tree.this, parent, ctes)
            if isinstance(tree, exp.SetOperation):
                self.query(tree.right, parent, ctes)
            for query in nested_queries(tree.args.get("order") or exp.Order()):
                self.query(query, parent, ctes)
            return outputs
        raise Refusal("table-source", f"'{render(tree)[:60]}' is not answered{place(tree)}", remedy="use SELECT")

    def _with(self, tree: exp.Expr, parent: Block | None, ctes: dict[str, _Outputs]) -> dict[str, _Outputs]:
        clause = tree.args.get("with_")
        if clause is None:
            return ctes
        known = dict(ctes)
        for cte in clause.expressions:
            columns = tuple(column.name for column in cte.args["alias"].columns)
            if clause.recursive:
                known[cte.alias] = _Outputs(columns or _syntactic_names(cte.this), not columns)
            outputs = self.query(cte.this, parent, known)
            known[cte.alias] = _Outputs(columns, False) if columns else outputs
        return known

    def _select(self, select: exp.Select, parent: Block | None, ctes: dict[str, _Outputs]) -> _Outputs:
        block = Block(select, parent)
        self.bound.blocks.append(block)
        sources = _Sources(self, block, ctes)
        source = select.args.get("from_")
        if source is not None:
            sources.from_clause(source.this, select.args.get("joins") or [])
        resolver = Resolver(block)
        for item in select.expressions:
            if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                resolver.star(item)
        for key, value in select.args.items():
            for node in value if isinstance(value, list) else [value]:
                if isinstance(node, exp.Expr) and key not in ("from_", "joins", "with_"):
                    resolver.clause(key, node)
                    block.is_lenient = key in ("having", "order", "group")
                    for query in nested_queries(node):
                        self.query(query, block, ctes)
                    block.is_lenient = False
        return _outputs(block)

    def table(self, node: exp.Table, block: Block, ctes: dict[str, _Outputs]) -> Reference:
        name, database = node.name, node.db
        if not database and name in ctes:
            return self.add(block, node, node.alias or name, ctes[name])
        self._has_asked = self._has_asked or not database
        database = database or self._database
        if not database:
            raise UserError(f"no database for table '{name}'{place(node)}", remedy="give --database, or write db.table")
        if database.lower() in SYSTEM_SCHEMAS:
            raise Refusal(
                "system-schema", f"'{database}' is not a catalog{place(node)}", remedy="use SHOW TABLES or SHOW COLUMNS"
            )
        catalog = self._catalogs(database)
        self.bound.catalogs[catalog.database] = catalog
        table = catalog.tables.get(name)
        if table is None:
            raise UserError(f"unknown table '{database}.{name}'{place(node)}", remedy=near_or_all(name, catalog.tables))
        outputs = _Outputs(tuple(table.table.column_names))
        reference = self.add(block, node, node.alias or name, outputs, catalog)
        reference.table = table
        return reference

    def add(
        self,
        block: Block,
        node: exp.Table | exp.Subquery,
        alias: str,
        outputs: _Outputs,
        catalog: Catalog | None = None,
    ) -> Reference:
        """A new table of a FROM clause. One that another table of this or of an outer SELECT is called like, of another
        database, gets an alias of its own."""
        number, database = len(self.bound.references), catalog.database if catalog is not None else ""
        reference = Reference(number, alias, node, outputs.names, is_open=outputs.is_open, database=database)
        reference.called = catalog.names if catalog is not None else frozenset()
        for other in block.references:
            if other.is_called(alias) and (not database or other.database in ("", database)):
                raise UserError(f"two tables are called '{alias}'{place(node)}", remedy="give each an alias of its own")
        if database and any(one.alias == alias and one.database not in ("", database) for one in _around(block)):
            reference.spelt, reference.alias = alias, f"{alias} of {database}"
        node.meta[REF] = number
        self.bound.references.append(reference)
        block.references.append(reference)
        return reference


def _around(block: Block) -> Iterator[Reference]:
    """The tables that a SELECT sees, its own first."""
    within: Block | None = block
    while within is not None:
        yield from within.references
        within = within.parent


class _Sources:
    """Walks a FROM clause: adds its references and the columns that it shows."""

    def __init__(self, binder: _Binder, block: Block, ctes: dict[str, _Outputs]) -> None:
        self._binder = binder
        self._block = block
        self._ctes = ctes
        self._depth = 0

    def from_clause(self, first: exp.Expr, joins: list[exp.Join]) -> None:
        self._block.visible = self._chain(*self._source(first), joins)

    def _chain(self, current: list[Visible], numbers: frozenset[int], joins: list[exp.Join]) -> list[Visible]:
        """Visible columns of comma-separated join trees; JOIN binds tighter than a comma."""
        before: list[Visible] = []
        for join in joins:
            if is_comma(join):
                before += current
                current, numbers = self._source(join.this)
            else:
                current, numbers = self._join(current, numbers, join)
        return before + current

    def _source(self, node: exp.Expr) -> tuple[list[Visible], frozenset[int]]:
        start = len(self._binder.bound.references)
        if isinstance(node, exp.Subquery) and not node.alias and isinstance(node.this, (exp.Table, exp.Subquery)):
            visible = self._chain(*self._source(node.this), node.args.get("joins") or [])
        elif isinstance(node, exp.Table):
            head = self._head(self._binder.table(node, self._block, self._ctes))
            visible = self._chain(head, frozenset([start]), node.args.get("joins") or [])
        elif isinstance(node, exp.Subquery):
            head = self._derived(node)
            visible = self._chain(head, frozenset([self._block.references[-1].number]), node.args.get("joins") or [])
        else:
            raise Refusal(
                "table-source", f"'{render(node)[:60]}' is not a plain table{place(node)}", remedy="name a table"
            )
        mine = {reference.number for reference in self._block.references if reference.number >= start}
        return visible, frozenset(mine)

    def _head(self, reference: Reference) -> list[Visible]:
        return [Visible(name, reference) for name in reference.columns]

    def _derived(self, node: exp.Subquery) -> list[Visible]:
        if not node.alias:
            raise UserError(f"a derived table has no name{place(node)}", remedy="write (SELECT ...) AS name")
        outputs = self._binder.query(node.this, None, self._ctes)
        columns = tuple(column.name for column in node.args["alias"].columns)
        outputs = _Outputs(columns) if columns else outputs
        return self._head(self._binder.add(self._block, node, node.alias, outputs))

    def _join(
        self, left: list[Visible], left_numbers: frozenset[int], join: exp.Join
    ) -> tuple[list[Visible], frozenset[int]]:
        side = str(join.side or "").upper()
        self._depth += side == "LEFT"
        right, right_numbers = self._source(join.this)
        self._depth -= side == "LEFT"
        numbers = left_numbers | right_numbers
        self._mark_nullable(side, left_numbers, right_numbers)
        visible, terms = self._merge(left, right, join, side)
        condition = join.args.get("on")
        if condition is not None:
            resolver = Resolver(self._block, [*left, *right])
            resolver.clause("on", condition)
            self._block.visible = [*left, *right]  # what an ON shows its subqueries; the whole clause follows
            for query in nested_queries(condition):
                self._binder.query(query, self._block, self._ctes)
            terms = terms_of(condition)
        self._block.joins.append(Join(side, left_numbers, right_numbers, terms, join, self._depth == 0))
        return visible, numbers

    def _mark_nullable(self, side: str, left: Iterable[int], right: Iterable[int]) -> None:
        if side == "FULL":
            raise UserError("MariaDB has no FULL JOIN", remedy="write a UNION of two LEFT JOINs")
        for number in {"LEFT": right, "RIGHT": left}.get(side, ()):
            self._binder.bound.references[number].is_nullable = True
        if side == "RIGHT":
            for join in self._block.joins:
                join.is_top = join.is_top and not (join.left | join.right) & set(left)

    def _merge(
        self, left: list[Visible], right: list[Visible], join: exp.Join, side: str
    ) -> tuple[list[Visible], list[exp.Expr]]:
        """The columns that a join shows, and the equalities that USING or NATURAL stands for."""
        using = [column.name for column in join.args.get("using") or []]
        if str(join.method or "").upper() == "NATURAL":
            names = {visible.name.lower() for visible in right}
            using = [visible.name for visible in left if visible.name.lower() in names]
        if not using:
            return [*left, *right], []
        pairs = [(_only(left, name, join), _only(right, name, join)) for name in using]
        merged = {name.lower() for name in using}
        first, second = (right, left) if side == "RIGHT" else (left, right)
        order = [visible for visible in first if visible.name.lower() in merged]
        rest = [visible for visible in [*first, *second] if visible.name.lower() not in merged]
        return [*order, *rest], [_equality(one, other) for one, other in pairs]


def _only(visible: list[Visible], name: str, join: exp.Join) -> Visible:
    found = [column for column in visible if column.name.lower() == name.lower()]
    if len(found) != 1:
        what = "ambiguous" if found else "unknown"
        raise UserError(f"{what} column '{name}' in USING{place(join)}", remedy="write the condition with ON")
    return found[0]


def _equality(one: Visible, other: Visible) -> exp.Expr:
    return exp.EQ(this=column_of(one.owner, one.name), expression=column_of(other.owner, other.name))


def _outputs(block: Block) -> _Outputs:
    names: list[str] = []
    is_open = any(reference.is_open for reference in block.references)
    for item in block.select.expressions:
        if isinstance(item, exp.Star):
            names += [visible.name for visible in block.visible]
        elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            names += [name for one in block.references if one.alias == item.table for name in one.columns]
        else:
            names.append(item_name(item) or "")
            is_open = is_open or not isinstance(item.unnest(), (exp.Column, exp.Alias, exp.Literal, exp.Null))
    return _Outputs(tuple(names), is_open)


def _syntactic_names(query: exp.Expr) -> tuple[str, ...]:
    return tuple(item_name(item) or "" for item in first_select(query).expressions)
