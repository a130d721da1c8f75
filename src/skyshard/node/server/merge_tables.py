"""Tables that show several parts as one: MERGE tables over MyISAM, views over other engines."""

from __future__ import annotations

from pathlib import Path

from skyshard.catalog.ddl import create_merge_table
from skyshard.db.connection import Connection
from skyshard.node.messages import MergeTableOrder
from skyshard.node.server.clear_tables import clear_tables, drop_tables
from skyshard.node.server.server_files import ServerFiles, file_name


def make_merge_tables(connection: Connection, data: ServerFiles, order: MergeTableOrder) -> None:
    """Make the tables of an order through a session that is in their database.

    One is created; the others of MyISAM get its definition and a list of their own, as a CREATE takes 5 ms.
    """
    is_merge = order.engine == "MyISAM"
    if is_merge:
        clear_tables(connection, data, order.database, order.parts)
    else:
        drop_tables(connection, order.parts)
    template: Path | None = None
    for name, parts in order.parts.items():
        definition = data.data_file(order.database, name).with_suffix(".frm")
        if template is None or any(file_name(part) != part for part in parts):
            connection.execute(create_merge_table(order.table, name, parts, engine=order.engine))
            template = definition if is_merge else None
        else:
            definition.with_suffix(".MRG").write_text("".join(f"{part}\n" for part in parts))
            definition.hardlink_to(template)
