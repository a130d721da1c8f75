"""Names in a plan, as people gave them, to stored names: of its own database, and of those whose directors it follows.

Rules: rows go into databases, never into aliases; a name that nothing has becomes a new database, whose stored name no
database ever had.
"""

from __future__ import annotations

from dataclasses import replace

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import TableLayout
from skyshard.ingest.plan.ingest_plan import IngestPlan, PlannedTable
from skyshard.ingest.plan.taken_names import require_table
from skyshard.registry.catalog.database_names import DatabaseNames
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import DatabaseState


def with_stored_names(registry: Registry, plan: IngestPlan) -> IngestPlan:
    """The plan as the servers know its databases; ``shown`` keeps what people call its own.

    Raises:
        UserError: the database's name is an alias, or of a database that is being dropped; a table's name is too long
            beside a stored name.
    """
    names = registry.published.names()
    stored = _own(names, plan.database) or registry.databases.free_stored_name(plan.database)
    others = {name: known.stored for name, known in names.by_name.items()} | {plan.database: stored}
    tables = tuple(_renamed_table(table, others) for table in plan.tables)
    for table in tables if stored != plan.database else ():  # names of index tables are longer by its beginning
        require_table(stored, table.source.table, table.source.layout, plan.layout.striping)
    layouts = {name: _renamed(layout, others) for name, layout in plan.layout.tables.items()}
    layout = plan.layout.model_copy(update={"tables": layouts})
    return replace(plan, database=stored, shown=plan.database, layout=layout, tables=tables)


def _own(names: DatabaseNames, name: str) -> str:
    """The stored name of a plan's own database; empty where there is none of its name yet."""
    known = names.by_name.get(name)
    if known is None:
        return ""
    if known.is_alias:
        database = names.shown(known.stored)
        raise UserError(
            f"'{name}' is an alias of '{database}', and rows go into databases",
            remedy=f"ingest into --database {database}, or under another name",
        )
    if known.state is DatabaseState.DROPPING:
        raise UserError(
            f"database '{name}' is being dropped",
            remedy=f"end that with `skyshard drop {name}`, or ingest under another --database",
        )
    return known.stored


def _renamed_table(table: PlannedTable, stored: dict[str, str]) -> PlannedTable:
    return replace(table, source=replace(table.source, layout=_renamed(table.source.layout, stored)))


def _renamed(layout: TableLayout, stored: dict[str, str]) -> TableLayout:
    """A table's layout with stored names in front of directors of other databases; as it is where they are the same."""
    changed = {}
    for side in ("director", "director2"):
        database, dot, table = getattr(layout, side).rpartition(".")
        if dot and stored.get(database, database) != database:
            changed[side] = f"{stored[database]}.{table}"
    return layout.model_copy(update=changed) if changed else layout
