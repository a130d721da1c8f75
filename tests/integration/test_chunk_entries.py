"""What queries read of chunks is kept as one value, which is what the rows say at every instant."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.kept_entries import assert_entries_agree

from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import Event
from skyshard.registry.stored.records import OpenTransaction, Replica
from skyshard.registry.transactions.transaction_report import TransactionReport
from skyshard.rowimage.sqltype import parse_type

pytestmark = pytest.mark.integration

DATABASE = "kept_entries"
OBJECT = TableLayout(role=Role.DIRECTOR, key="objectId", position=("ra", "decl"))
TABLE = Table("Object", tuple(Column(name, parse_type("double")) for name in ("objectId", "ra", "decl")))
LAYOUT = Layout(striping=Striping(stripes=18, substripes=6, overlap_deg=0.1), tables={})
CHUNKS = (324, 325, 361)


@pytest.fixture
def registry(private_cluster: PrivateCluster) -> Iterator[Registry]:
    """A registry with a database of one transaction; forgotten at the end."""
    registry = Registry(private_cluster.endpoint(CZAR_NAME), private_cluster.folder)
    registry.prepare()
    try:
        publish(registry, begin(registry, 0))
        yield registry
    finally:
        execute(private_cluster, f"DELETE FROM skyshard_registry.`databases` WHERE name = '{DATABASE}'")
        registry.close()


def execute(cluster: PrivateCluster, sql: str) -> None:
    with connect(cluster.endpoint(CZAR_NAME), Account.ADMIN) as admin:
        admin.execute(sql)


def replicas(part: int, rows: int = 10) -> list[Replica]:
    """Each chunk on one of two nodes, with its overlap."""
    return [
        Replica("Object", chunk, is_overlap, f"node{chunk % 2 + 1}", rows, 8 * rows, "", part)
        for chunk in CHUNKS[: 2 if part else 3]
        for is_overlap in (False, True)
    ]


def begin(registry: Registry, part: int) -> OpenTransaction:
    """A transaction that is all but published; with ``part`` it adds parts of its own number."""
    mine = registry.transactions.begin(DATABASE, LAYOUT, "source", "plan", {})
    registry.databases.add_table(DATABASE, TABLE, OBJECT, "image", mine.id)
    registry.replicas.add(DATABASE, mine.id, replicas(mine.id if part else 0))
    registry.transactions.move(mine, Event.COMMIT)
    return mine


def publish(registry: Registry, mine: OpenTransaction) -> None:
    registry.transactions.publish(DATABASE, mine, TransactionReport())


def publish_merged(registry: Registry, mine: OpenTransaction) -> None:
    registry.transactions.publish_merged(DATABASE, mine, TransactionReport(), {"node1": ["Object_324"]}, {})


def publish_replaced(registry: Registry, mine: OpenTransaction) -> None:
    registry.transactions.publish_replaced(DATABASE, mine, TransactionReport(), {}, [], [])


def add(registry: Registry, mine: OpenTransaction) -> None:
    """A replica more of what the first transaction brought, as a repair makes it."""
    (first, *_) = [row["id"] for row in registry.transactions.all(DATABASE)]
    registry.replicas.add(DATABASE, first, [Replica("Object", 361, False, "node1", 10, 80, "")])


def forget(registry: Registry, mine: OpenTransaction) -> None:
    (first, *_) = [row["id"] for row in registry.transactions.all(DATABASE)]
    registry.replicas.forget(DATABASE, first, replicas(0)[-2:])


class Ended(BaseException):
    """The process ends here."""


def after_statement(registry: Registry, number: int, work: Callable[[], None]) -> bool:
    """Do some work, whose session is gone after so many statements; False when it had no more than these."""
    left = number

    def count(connection: Any, *_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            connection.connection.dbapi_connection._force_close()
            raise Ended

    engine = registry._engines.writer
    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        work()
    except Ended:
        engine.dispose()
        return True
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    return False


def seen(registry: Registry) -> object:
    """What queries read of the chunks."""
    return dict(registry.published.stored_catalog(DATABASE).tables["Object"].chunks.items())


@pytest.mark.parametrize("work", [publish, publish_merged, publish_replaced, add, forget])
def test_a_process_that_ends_at_any_statement_leaves_entries_that_the_rows_have(
    registry: Registry, private_cluster: PrivateCluster, work: Callable[[Registry, OpenTransaction], None]
) -> None:
    """Before the last statement queries see what they saw, with it they see what it brings; never something between."""
    czar, before, mine, number = private_cluster.endpoint(CZAR_NAME), seen(registry), begin(registry, 1), 0
    while after_statement(registry, number, lambda: work(registry, mine)):
        assert_entries_agree(czar, DATABASE)
        assert seen(registry) == before
        number += 1
    assert number > 4
    assert_entries_agree(czar, DATABASE)
    assert seen(registry) != before


@pytest.mark.parametrize(
    "lost",
    [
        "DELETE FROM skyshard_registry.chunk_entries",
        "UPDATE skyshard_registry.`tables` SET generation = generation + 1",
        "UPDATE skyshard_registry.chunk_entries SET entries = LEFT(entries, 100)",
    ],
)
def test_entries_that_are_missing_stale_or_damaged_are_made_again(
    registry: Registry, private_cluster: PrivateCluster, lost: str
) -> None:
    """By the first query, for all others; the rows are the truth."""
    before = seen(registry)
    execute(private_cluster, f"{lost} WHERE `database` = '{DATABASE}'")
    with pytest.raises(AssertionError):
        assert_entries_agree(private_cluster.endpoint(CZAR_NAME), DATABASE)
    assert seen(registry) == before
    assert_entries_agree(private_cluster.endpoint(CZAR_NAME), DATABASE)


def test_entries_that_a_slow_reader_made_do_not_count(registry: Registry, private_cluster: PrivateCluster) -> None:
    """It read the rows before a transaction was published, and comes to keep what it made after it."""
    execute(private_cluster, f"DELETE FROM skyshard_registry.chunk_entries WHERE `database` = '{DATABASE}'")
    keep, late = registry.published._keep, []
    registry.published._keep = lambda *made: late.append(made)  # type: ignore[method-assign]
    old = seen(registry)
    publish(registry, begin(registry, 1))
    (made,) = late
    keep(*made)
    assert_entries_agree(private_cluster.endpoint(CZAR_NAME), DATABASE)
    assert seen(registry) != old


def test_entries_that_a_slow_reader_made_of_a_table_that_was_dropped_do_not_count(
    registry: Registry, private_cluster: PrivateCluster
) -> None:
    """It comes to keep them when the table is there again, after as many changes as it had had."""
    execute(private_cluster, f"DELETE FROM skyshard_registry.chunk_entries WHERE `database` = '{DATABASE}'")
    keep, late = registry.published._keep, []
    registry.published._keep = lambda *made: late.append(made)  # type: ignore[method-assign]
    old = seen(registry)
    (made,) = late
    registry.transactions.drop_table(DATABASE, LAYOUT, "Object", {}, {})
    mine = registry.transactions.begin(DATABASE, LAYOUT, "source", "plan", {})
    registry.databases.add_table(DATABASE, TABLE, OBJECT, "image", mine.id)
    registry.replicas.add(DATABASE, mine.id, replicas(mine.id, rows=77))
    registry.transactions.move(mine, Event.COMMIT)
    publish(registry, mine)
    execute(private_cluster, f"DELETE FROM skyshard_registry.chunk_entries WHERE `database` = '{DATABASE}'")
    keep(*made)
    assert seen(registry) != old
    assert registry.published.stored_catalog(DATABASE).tables["Object"].chunks[324].rows == 77


def test_entries_hold_what_another_commits_meanwhile(registry: Registry, private_cluster: PrivateCluster) -> None:
    """Replicas are marked while a transaction is published: whoever is last makes entries of both."""
    mine, (first, *_) = begin(registry, 1), [row["id"] for row in registry.transactions.all(DATABASE)]
    waiting = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
    with ThreadPoolExecutor(1) as pool, connect(private_cluster.endpoint(CZAR_NAME), Account.ADMIN) as other:
        other.execute("START TRANSACTION")
        other.rows(f"SELECT name FROM skyshard_registry.`tables` WHERE `database` = '{DATABASE}' FOR UPDATE")
        published = pool.submit(publish, registry, mine)
        with connect(private_cluster.endpoint(CZAR_NAME), Account.ADMIN) as watching:
            while not (published.done() or watching.value(waiting)):
                time.sleep(0.2)  # the server makes the table anew for who has not asked for 0.1 s
        other.execute(
            f"UPDATE skyshard_registry.replicas SET `rows` = 99 WHERE `database` = '{DATABASE}' "
            f"AND transaction_id = {first} AND chunk = 361"
        )
        other.execute("COMMIT")
        published.result()
    assert_entries_agree(private_cluster.endpoint(CZAR_NAME), DATABASE)
    assert registry.published.stored_catalog(DATABASE).tables["Object"].chunks[361].rows == 99


def test_entries_of_many_chunks_are_kept_whole(registry: Registry, private_cluster: PrivateCluster) -> None:
    """Of two tables, each longer than 64 KiB, which is where servers begin to cut what they take for a short text."""
    mine = begin(registry, 1)
    registry.databases.add_table(DATABASE, replace(TABLE, name="Other"), OBJECT, "image", mine.id)
    place = random.Random(1)
    rows = [
        Replica(table, chunk, False, "node1", place.randrange(2**40), place.randrange(2**40), "", mine.id)
        for table in ("Object", "Other")
        for chunk in range(10_000, 17_000)
    ]
    registry.replicas.add(DATABASE, mine.id, rows)
    publish(registry, mine)
    with connect(private_cluster.endpoint(CZAR_NAME), Account.ADMIN) as admin:
        lengths = admin.rows(
            "SELECT LENGTH(entries) FROM skyshard_registry.chunk_entries WHERE `database` = %s", [DATABASE]
        )
    assert min(length for (length,) in lengths) > 1 << 16
    assert_entries_agree(private_cluster.endpoint(CZAR_NAME), DATABASE)
    assert {replica.rows for replica in registry.replicas.all(DATABASE)} > {row.rows for row in rows}


def test_entries_go_with_their_database(registry: Registry, private_cluster: PrivateCluster) -> None:
    """Nothing of it is left to be taken for the next one's of that name."""
    execute(private_cluster, f"DELETE FROM skyshard_registry.`databases` WHERE name = '{DATABASE}'")
    with connect(private_cluster.endpoint(CZAR_NAME), Account.ADMIN) as admin:
        left = f"SELECT COUNT(*) FROM skyshard_registry.chunk_entries WHERE `database` = '{DATABASE}'"
        assert admin.value(left) == 0
