"""Which column a name means in a clause, by MariaDB's rules; the answer is noted at the column.

Rules: ORDER BY looks for an item of the select list first, GROUP BY and expressions for a table's column first, HAVING
for a GROUP BY column, then an item. Column names are compared without case. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

from skyshard.basics.errors import UserError
from skyshard.basics.near_names import did_you_mean, near_names
from skyshard.czar.bind.bound_statement import COLUMN, ITEM, REF, Block, Meaning, Reference, Visible, own_columns
from skyshard.czar.bind.clauses import is_aggregate, position_of, star_columns
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.item_names import is_star, item_name
from skyshard.czar.sql.statement import place


class Resolver:
    """Resolves the columns of one clause of one SELECT."""

    def __init__(self, block: Block, visible: list[Visible] | None = None) -> None:
        self._block = block
        self._visible = block.visible if visible is None else visible

    def clause(self, key: str, node: exp.Expr) -> None:
        for column in list(own_columns(node)):
            resolve = {"having": self._in_having, "order": self._in_order, "group": self._in_group}.get(key)
            is_resolved = bool(resolve and not column.table and resolve(column))
            if not is_resolved and not self._resolve(column, self._block, self._visible):
                if key in ("having", "order", "group") and self._alias(column):
                    continue
                self._fail(column)

    def _in_order(self, column: exp.Column) -> bool:
        """ORDER BY name: an item of the select list first. ORDER BY expression: a table's column first."""
        return isinstance(column.parent, exp.Ordered) and self._alias(column)

    def _in_group(self, column: exp.Column) -> bool:
        """GROUP BY name: a table's column first; of several that have it an item of the select list, if one has."""
        lowered = column.name.lower()
        is_ambiguous = sum(one.name.lower() == lowered for one in self._visible) > 1
        return is_ambiguous and isinstance(column.parent, exp.Group) and self._alias(column)

    def star(self, item: exp.Column) -> None:
        """Name the table that ``t.*`` means by the alias that it has here; who is unknown stays so."""
        found = [one for one in self._block.references if one.is_called(item.table, item.db)]
        if len(found) > 1:
            raise UserError(f"two tables are called '{item.table}'{place(item)}", remedy=_with_database(found))
        if found:
            _call(item, found[0])

    def _in_having(self, column: exp.Column) -> bool:
        """HAVING name outside an aggregate: a GROUP BY column, then an item of the select list."""
        if _is_in_aggregate(column):
            return False
        grouped = [part for part in self._grouped() if part.name.lower() == column.name.lower()]
        if not grouped:
            return self._alias(column)
        if REF in grouped[0].meta:
            column._meta = Meaning(column.meta)
            column._meta |= {key: grouped[0].meta[key] for key in (REF, COLUMN)}
        return REF in grouped[0].meta

    def _grouped(self) -> Iterator[exp.Column]:
        """The columns that are grouped by, also those that an item's name or position stands for."""
        group = self._block.select.args.get("group")
        for part in group.expressions if group else ():
            item = self._item_of(part)
            meant = part if item is None else item.unalias().unnest()
            if isinstance(meant, exp.Column) and isinstance(meant.this, exp.Identifier):
                yield meant

    def _item_of(self, part: exp.Expr) -> exp.Expr | None:
        """The item whose name or position is grouped by, also a column that a star stands for."""
        items: list[exp.Expr] = self._block.select.expressions
        if ITEM in part.meta:
            return items[int(part.meta[ITEM])]
        position = position_of(part) or 0
        if position < 1 or any(reference.is_open for reference in self._block.references):
            return None
        shown = [one for item in items for one in (star_columns(self._block, item) if is_star(item) else [item])]
        return shown[position - 1] if position <= len(shown) else None

    def _alias(self, column: exp.Column) -> bool:
        lowered = column.name.lower()
        items = self._block.select.expressions
        found = [index for index, item in enumerate(items) if (item_name(item) or "").lower() == lowered]
        aliased = [index for index in found if isinstance(items[index], exp.Alias)]
        if not found and isinstance(column.this, exp.Identifier) and column.this.quoted:
            found = [index for index, item in enumerate(items) if render(item).lower() == lowered]
        if not found:
            return False
        first = (aliased or found)[0]
        if len({render(items[index].unalias()) for index in found}) > 1 and isinstance(
            column.parent, exp.Ordered | exp.Group
        ):
            clause = "GROUP BY" if isinstance(column.parent, exp.Group) else "ORDER BY"
            raise UserError(
                f"column '{column.name}' in {clause} is ambiguous{place(column)}", remedy="use its position"
            )
        column.meta[ITEM] = first
        return True

    def _resolve(self, column: exp.Column, block: Block, visible: list[Visible]) -> bool:
        found = _qualified(column, block.references) if column.table else _unqualified(column, visible)
        if found is not None:
            column._meta = Meaning(column.meta)
            column._meta |= {REF: found.owner.number, COLUMN: found.name}
            if column.table:
                _call(column, found.owner)
            return True
        return block.parent is not None and self._resolve(column, block.parent, block.parent.visible)

    def _fail(self, column: exp.Column) -> None:
        block: Block | None = self._block
        while block is not None:
            if block.is_lenient or any(reference.is_open for reference in block.references):
                return
            block = block.parent
        known = {visible.name for visible in self._visible}
        name = f"{column.table}.{column.name}" if column.table else column.name
        if column.table and not any(one.is_called(column.table) for one in self._block.references):
            aliases = [one.spelt or one.alias for one in self._block.references]
            raise UserError(
                f"unknown table '{column.table}' in '{name}'{place(column)}",
                remedy=near_or_all(column.table, aliases, "tables here"),
            )
        tables = [one.table.table.name for one in self._block.references if one.table is not None]
        listing = f"SHOW COLUMNS FROM {tables[0]}" if tables else "its FROM clause"
        remedy = did_you_mean(near_names(column.name, known), f"{listing} lists what there is")
        raise UserError(f"unknown column '{name}'{place(column)}", remedy=remedy)


def _is_in_aggregate(column: exp.Column) -> bool:
    """True inside an aggregate of HAVING, also one that the grammar knows as a plain call, as BIT_OR."""
    node = column.parent
    while node is not None and not isinstance(node, exp.Having | exp.Query):
        if is_aggregate(node):
            return True
        node = node.parent
    return False


def _qualified(column: exp.Column, references: list[Reference]) -> Visible | None:
    named = [one for one in references if one.is_called(column.table, column.db)]
    found = [Visible(name, one) for one in named if (name := one.find(column.name)) is not None]
    if len(found) > 1:
        raise UserError(
            f"column '{column.table}.{column.name}' is ambiguous{place(column)}", remedy=_with_database(named)
        )
    return found[0] if found else None


def _call(column: exp.Column, reference: Reference) -> None:
    """Name the table of a column by its alias, where that is another than people call it."""
    if reference.spelt:
        column.set("table", exp.to_identifier(reference.alias, quoted=True))
        column.set("db", None)


def _with_database(references: list[Reference]) -> str:
    names = [_written(one, references) for one in references]
    return f"write {' or '.join(names)}, or give each an alias of its own"


def _written(reference: Reference, others: list[Reference]) -> str:
    """How statements name a table beside others: with its database where another one is called alike."""
    name = reference.spelt or reference.alias
    is_alike = any(other is not reference and other.is_called(name) for other in others)
    return f"{min(reference.called)}.{name}" if is_alike and reference.called else name


def _unqualified(column: exp.Column, visible: list[Visible]) -> Visible | None:
    lowered = column.name.lower()
    found = [one for one in visible if one.name.lower() == lowered]
    if len(found) > 1:
        owners = [one.owner for one in found]
        names = [_written(one, owners) for one in owners[:3]]
        raise UserError(
            f"column '{column.name}' is ambiguous: it is in {' and '.join(map(repr, names))}{place(column)}",
            remedy=f"write {names[0]}.{column.name}",
        )
    return found[0] if found else None


def near_or_all(name: str, tables: Iterable[str], what: str = "tables") -> str:
    """The remedy for an unknown table: the name that is like it, or all names."""
    return did_you_mean(near_names(name, tables), f"{what}: {', '.join(sorted(tables))}")
