"""A statement whose names are known: references, blocks, joins, and what is noted at each column.

Rules: values and small questions about trees; no look-ups, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from skyshard.catalog.layout import Role, split_director
from skyshard.chunking.sphere import Region
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable

REF = "ref"
"""Key in a column's ``meta``: the number of the reference it belongs to."""
COLUMN = "column"
"""Key in a column's ``meta``: the column's name as the table spells it."""
ITEM = "item"
"""Key in a column's ``meta``: the position in the select list of the item that it names."""
AREA = "area"
"""Key in a condition's ``meta``: the number of the area in ``Bound.areas`` that it stands for."""


class Meaning(dict[str, int | str]):
    """What is noted at a column: plain values, so that a copy of the tree need not look into them."""

    def __deepcopy__(self, memo: object) -> Meaning:
        return Meaning(self)


@dataclass(slots=True, eq=False)
class Reference:
    """One table of a FROM clause. ``table`` is None for a derived table or a common table expression.

    ``is_nullable``: an outer join may put NULLs in place of its rows. ``is_open``: its column names are not all known.
    ``side``: of a ref-match table, the side by whose director it is read. ``database`` is a stored name; ``called`` are
    the names that statements may give that database. ``spelt``: what statements call it where ``alias`` is
    another name, since a table of another database has theirs.
    """

    number: int
    alias: str
    node: exp.Table | exp.Subquery
    columns: tuple[str, ...]
    table: CatalogTable | None = None
    database: str = ""
    is_open: bool = False
    is_nullable: bool = False
    side: int = 1
    called: frozenset[str] = frozenset()
    spelt: str = ""

    def is_called(self, name: str, database: str = "") -> bool:
        """Whether a name before a column, with or without a database before it, means this table."""
        return (self.spelt or self.alias) == name and (not database or database in self.called)

    @property
    def is_chunked(self) -> bool:
        return self.table is not None and self.table.layout.role.is_chunked

    @property
    def key(self) -> str:
        """The column with the director's key; empty if there is none."""
        if self.table is None or not self.is_chunked:
            return ""
        return self.table.layout.key if self.side == 1 else self.table.layout.key2

    @property
    def director(self) -> tuple[str, str]:
        """Database and name of the director that decides the chunks of the rows."""
        assert self.table is not None
        layout = self.table.layout
        name = layout.director if self.side == 1 else layout.director2
        return split_director(name or self.table.table.name, self.database)

    @property
    def has_spread_keys(self) -> bool:
        """True when the director has rows of one key in several chunks."""
        return self.table is not None and self.key in self.table.spread_keys

    @property
    def has_orphans(self) -> bool:
        """True when some rows have keys that their director has not."""
        return self.table is not None and bool(self.table.orphan_chunks)

    @property
    def has_strays(self) -> bool:
        """True when some rows may be in another chunk than their director, which came after them (strays).

        A row of a ref-match table is then stored with its other side.
        """
        if self.table is None:
            return False
        return bool(self.table.stray_chunks) or (self.has_orphans and self.table.layout.role is Role.REF_MATCH)

    def find(self, name: str) -> str | None:
        lowered = name.lower()
        return next((column for column in self.columns if column.lower() == lowered), None)

    def __repr__(self) -> str:
        return f"{self.alias}#{self.number}"


@dataclass(frozen=True, slots=True)
class Visible:
    """A column that a FROM clause shows; ``owner`` is the table it is taken from, also where USING merged two."""

    name: str
    owner: Reference


@dataclass(slots=True, eq=False)
class Join:
    """One JOIN: the numbers of the references on either side, and the AND-ed terms of its condition.

    ``is_top``: not inside the side of an outer join that may be NULL.
    """

    side: str
    left: frozenset[int]
    right: frozenset[int]
    terms: list[exp.Expr]
    node: exp.Join
    is_top: bool = True


@dataclass(slots=True, eq=False)
class Block:
    """One SELECT with what its FROM clause brings."""

    select: exp.Select
    parent: Block | None
    is_lenient: bool = False
    references: list[Reference] = field(default_factory=list)
    visible: list[Visible] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Area:
    """A region that a condition holds rows of a reference to; ``text`` is what the user wrote.

    ``is_open``: the statement has a mark in the place of the region's condition.
    """

    region: Region
    reference: int
    text: str
    is_open: bool = False


@dataclass(slots=True, eq=False)
class Bound:
    """A statement whose names are known; ``database`` is the one that names without database belong to.

    ``has_open_areas``: it gets marks in place of ``qserv_areaspec_`` areas. ``names``, ``words`` and ``functions``: see
    ``SelectStatement``.
    """

    tree: exp.Query
    references: list[Reference] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    catalogs: dict[str, Catalog] = field(default_factory=dict)
    database: str = ""
    has_open_areas: bool = False
    names: tuple[str | None, ...] = ()
    words: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()

    def reference(self, column: exp.Expr) -> Reference | None:
        """The reference that a column belongs to; None for an alias of the select list, or what is not known."""
        number = column.meta.get(REF)
        return None if number is None else self.references[number]

    def overlap_deg(self, reference: Reference) -> float:
        """Radius within which the neighbours of a reference's sub-chunks are copied."""
        return self.catalogs[reference.database].layout.striping.overlap_deg if reference.database else 0.0

    @property
    def tables(self) -> list[Reference]:
        """The references that are tables of a catalog."""
        return [reference for reference in self.references if reference.table is not None]


def may_be_apart(one: Reference, other: Reference) -> bool:
    """True when rows of one key may be in two chunks.

    Rows without director are placed one by one, so two dependents may keep those of a key apart; strays are apart
    from their director and from everything that came after it; a director whose keys may occur twice has rows of one
    in several chunks, and those that follow it are in one of them.
    """
    if one.has_spread_keys or other.has_spread_keys:
        return True
    return (one.has_orphans and other.has_orphans) or one.has_strays or other.has_strays


def columns_of(node: exp.Expr) -> Iterator[exp.Column]:
    """The columns in a tree, those of nested queries included, stars excluded."""
    for column in node.find_all(exp.Column) if type(node) is not exp.Column else (node,):
        if not isinstance(column.this, exp.Star):
            yield column


def terms_of(condition: exp.Expr | None) -> list[exp.Expr]:
    """The AND-ed terms of a condition, without parentheses around them; an area stays one term.

    >>> from skyshard.czar.sql.dialect import parse_expression, render
    >>> [render(term) for term in terms_of(parse_expression("a AND (b && (c OR d))"))]
    ['a', 'b', 'c OR d']
    """
    if condition is None:
        return []
    inner = condition if isinstance(condition, exp.Subquery) else condition.unnest()
    if isinstance(inner, exp.And) and AREA not in inner.meta:
        return [*terms_of(inner.left), *terms_of(inner.right)]
    return [inner]


def nested_queries(node: exp.Expr) -> Iterator[exp.Query]:
    """The queries directly inside an expression."""
    for part in node.walk(prune=lambda part: isinstance(part, exp.Query) and not isinstance(part, exp.Subquery)):
        if isinstance(part, exp.Query) and not isinstance(part, exp.Subquery):
            yield part


def own_nodes(node: exp.Expr) -> Iterator[exp.Expr]:
    """The nodes of an expression that are not inside a nested query."""
    for part in node.walk(prune=lambda part: isinstance(part, exp.Query) and not isinstance(part, exp.Subquery)):
        if not isinstance(part, exp.Query) or isinstance(part, exp.Subquery):
            yield part


def own_columns(node: exp.Expr) -> Iterator[exp.Column]:
    """The columns of an expression that are not inside a nested query."""
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier):
        yield node
        return
    for part in own_nodes(node):
        if isinstance(part, exp.Column) and not isinstance(part.this, exp.Star):
            yield part


def is_comma(join: exp.Join) -> bool:
    """True for a comma between tables."""
    return not any(join.args.get(key) for key in ("kind", "side", "method", "on", "using"))


def column_of(reference: Reference, name: str) -> exp.Column:
    """A new column of a reference, resolved."""
    column = exp.Column(
        this=exp.Identifier(this=name, quoted=True), table=exp.Identifier(this=reference.alias, quoted=True)
    )
    column._meta = Meaning({REF: reference.number, COLUMN: name})
    return column
