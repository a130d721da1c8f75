"""The plain SQL text of the registry means the tables of ``sql_tables``: neither can change unseen by the other."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

from skyshard.registry.stored import measure_sql, node_sql, plain_sql, replication_sql, sql_tables, token_sql

COLUMNS = {table.name: {column.name: "int" for column in table.columns} for table in sql_tables.metadata.sorted_tables}
SCHEMA: dict[str, object] = {sql_tables.REGISTRY_DATABASE: COLUMNS}
TEXTS = {name: text for name, text in vars(plain_sql).items() if name.isupper() and str(text).startswith("SELECT")}
TEXTS["REPLICAS"] += plain_sql.OF_TABLE + plain_sql.BY_TABLE
TEXTS["REPLICA_COLUMNS"] += plain_sql.of_tables("r.`table`", 2) + plain_sql.BY_TABLE
TEXTS["REPLICAS_OF"] += plain_sql.OF_TRANSACTION + plain_sql.BY_TABLE
TEXTS["REPLICAS_OF several"] = plain_sql.REPLICAS_OF + plain_sql.OF_TRANSACTIONS_BETWEEN + plain_sql.BY_TABLE
TEXTS["ENTRIES"] += plain_sql.of_tables("t.name", 2)
TEXTS |= {f"replication {name}": text for name, text in vars(replication_sql).items() if str(text).startswith("SELECT")}
TEXTS |= {f"node {name}": text for name, text in vars(node_sql).items() if str(text).startswith("SELECT")}
TEXTS |= {f"token {name}": text for name, text in vars(token_sql).items() if str(text).startswith("SELECT")}
TEXTS |= {f"measure {name}": text for name, text in vars(measure_sql).items() if str(text).startswith("SELECT")}
TEXTS["measure ended_queries"] = measure_sql.ended_queries([0.5, 1.0])
TEXTS["replication OF_NODE_CHUNKS"] = replication_sql.OF_NODE_CHUNKS.format(tables="%s, %s", chunks="%s")
TEXTS["replication OF_CHUNKS"] = replication_sql.OF_CHUNKS.format(tables="%s, %s", chunks="%s")
TEXTS["last_queries_in"] = plain_sql.last_queries_in(2)


def tree(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql.replace("%s", "?"), dialect="mysql")


@pytest.mark.parametrize("name", TEXTS)
def test_every_column_that_is_read_is_a_column_of_its_table(name: str) -> None:
    """A renamed or removed column of ``sql_tables`` fails here; so does a text that names a column wrongly."""
    qualify(tree(TEXTS[name]), dialect="mysql", schema=SCHEMA, validate_qualify_columns=True)


@pytest.mark.parametrize("name", [name for name in TEXTS if name not in ("INSERTED_QUERY", "NOW_S")])
def test_every_table_has_its_database(name: str) -> None:
    """The session of these texts has no database of its own."""
    tables = {(table.db, table.name) for table in tree(TEXTS[name]).find_all(exp.Table)}
    assert {database for database, _ in tables} == {sql_tables.REGISTRY_DATABASE}
    assert {table for _, table in tables} <= set(COLUMNS)


def test_the_columns_of_the_history_are_those_of_its_table() -> None:
    """In the same order: a new column needs its place and its default in ``HISTORY``."""
    assert list(plain_sql.HISTORY) == [column.name for column in sql_tables.queries.columns]


def test_a_column_of_the_history_has_the_default_of_its_table() -> None:
    """None stands for a column that has no default; the flags are those that are Boolean there."""
    assert dict(plain_sql.HISTORY) == {column.name: default_of(column) for column in sql_tables.queries.columns}
    flags = [column.name for column in sql_tables.queries.columns if isinstance(column.type, sa.Boolean)]
    assert list(plain_sql.HISTORY_FLAGS) == flags


def default_of(column: sa.Column[Any]) -> Any:
    return column.default.arg if isinstance(column.default, sa.ColumnDefault) else None


def test_a_text_that_writes_has_one_mark_for_each_value() -> None:
    """Rows of all columns but the number, which the server gives; a change of two columns in one of three states."""
    inserted, marks = plain_sql.insert_queries(2), len(plain_sql.HISTORY) - 1
    assert inserted.count("%s") == 2 * marks
    assert re.findall(r"`(\w+)`[,)]", inserted) == [name for name in plain_sql.HISTORY if name != "id"]
    assert plain_sql.update_query(["state", "rows"], 3).count("%s") == 2 + 1 + 3
    assert plain_sql.forget_queries(2).count("%s") == 1 + 2


@pytest.mark.parametrize("text", [plain_sql.update_query(["rows"], 1), plain_sql.forget_queries(1)])
def test_a_condition_of_a_writing_text_names_columns_of_the_history(text: str) -> None:
    """Also where the text is no SELECT."""
    named = {column.name for column in tree(text).find_all(exp.Column)}
    assert named <= set(plain_sql.HISTORY)
