"""Orders for tables that are made again, whose name, rows and digest are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import create_table
from skyshard.catalog.engines import TableEngine
from skyshard.catalog.schema import Table
from skyshard.node.messages import BuildOrder, BundleSlice, Loader, TableBuild
from skyshard.registry.stored.records import Replica

T = TypeVar("T")


def make_known_table(
    build: Callable[[BuildOrder], T],
    database: str,
    stored: Table,
    replica: Replica,
    engine: TableEngine,
    loader: Loader,
    pieces: tuple[BundleSlice, ...],
) -> T:
    """Have a replica's table made of slices: with unique keys, else without, as merged parts may have a value each.

    Raises:
        UserError, ClusterError: what ``build`` raises.
    """

    def order(*, is_unique: bool) -> BuildOrder:
        create = create_table(stored, replica.name, engine=engine, unique=is_unique)
        made = TableBuild(
            replica.name, replica.table, replica.chunk, replica.is_overlap, replica.part, create, pieces, replica.rows,
            replica.digest,
        )  # fmt: skip
        return BuildOrder(database, stored, loader, (made,), engine.name)

    try:
        return build(order(is_unique=True))
    except UserError:
        return build(order(is_unique=False))
