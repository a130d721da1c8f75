"""Users of the MySQL door: what they may have, over a real server behind it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pymysql
import pytest
from tests.support.open_door import OpenDoor, WireAnswer, WireClient, open_door
from tests.support.played_services import Keys, PlayedAnswer, PlayedQueries, played_services
from tests.support.running_site import wait_until

from skyshard.basics.errors import UserError
from skyshard.cluster.door_server import DoorServer
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.serve.access import NO_QUOTA, OpenAccess, Quota, Scope
from skyshard.serve.mysql.packets import Command

pytestmark = pytest.mark.integration

FEW, HELD, MANY, FAULTY = (f"SELECT a FROM sky.{name}" for name in ("Few", "Held", "Many", "Faulty"))
ROWS = pa.table({"a": pa.array(range(4), pa.int64())})


class Held(PlayedQueries):
    """One statement is answered when ``go`` is set; ``begun``: its thread has it."""

    def __init__(self) -> None:
        super().__init__({FEW: ROWS, HELD: ROWS})
        self.begun, self.go = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def open(self, sql: str, database: str) -> Iterator[PlayedAnswer]:
        if sql == HELD:
            self.begun.set()
            assert self.go.wait(60)
        with super().open(sql, database) as answer:
            yield answer


class Unended(PlayedQueries):
    """One statement gives a row, and then none until it is cancelled; ``begun``: its row was given."""

    def __init__(self) -> None:
        tables = {FEW: ROWS, HELD: ROWS.slice(0, 1), MANY: pa.table({"a": range(5)}), FAULTY: UserError("out of order")}
        super().__init__(tables)
        self.begun, self.is_over = threading.Event(), threading.Event()

    def _batches(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        yield from super()._batches(table)
        if table is self.tables[HELD]:
            self.begun.set()
            assert self.is_over.wait(60)
            self.begun.clear()
            self.is_over.clear()

    def cancel(self, query: str) -> bool:
        self.is_over.set()
        return super().cancel(query)


def opened(
    cluster: PrivateCluster, queries: PlayedQueries, quota: Quota
) -> contextlib.AbstractContextManager[OpenDoor]:
    services = played_services(queries, OpenAccess(quota))
    return open_door(replace(services, empty_server=DoorServer(cluster.folder)))


def client_of(door: OpenDoor, user: str) -> contextlib.closing[WireClient]:
    return contextlib.closing(WireClient(host=door.host, port=door.port, user=user))


def test_quotas_hold_at_the_door(private_cluster: PrivateCluster) -> None:
    """One query under way a user, submitted ones among them, and four rows of an answer."""
    queries, found = Held(), list[WireAnswer]()
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(opened(private_cluster, queries, Quota(queries=1, rows=4)))
        ann, again, bob = (stack.enter_context(client_of(door, user)) for user in ("ann", "ann", "bob"))
        stack.callback(queries.go.set)
        asking = threading.Thread(target=lambda: found.append(ann.ask(HELD)))
        asking.start()
        assert queries.begun.wait(60)
        for statement in (FEW, f"SUBMIT {FEW}"):
            code, words = again.ask(statement).error
            assert (code, "the quota 'queries' allows" in words) == (1226, True)
        assert again.ask("SELECT 1").rows == [(b"1",)]
        assert len(bob.ask(FEW).rows) == 4
        queries.go.set()
        asking.join()
        assert len(found[0].rows) == 4


def test_a_seat_is_free_again_however_a_query_ends(private_cluster: PrivateCluster) -> None:
    """Killed, left by its client, failed, or cut at another quota: the next one is answered."""
    queries, killed = Unended(), list[WireAnswer]()
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(opened(private_cluster, queries, Quota(queries=1, rows=4)))
        stack.callback(queries.is_over.set)
        ann, again, gone = (stack.enter_context(client_of(door, "ann")) for _ in range(3))
        for sql in (FAULTY, MANY):
            assert again.ask(sql).error
            assert len(again.ask(FEW).rows) == 4
        asking = threading.Thread(target=lambda: killed.append(ann.ask(HELD)))
        asking.start()
        assert queries.begun.wait(60)
        assert again.ask(FEW).error[0] == 1226
        assert again.ask(f"KILL QUERY {ann.raw.thread_id()}").error == ()
        asking.join()
        assert killed[0].error[0] == 1317
        assert len(again.ask(FEW).rows) == 4
        gone.raw._execute_command(Command.QUERY, HELD)
        assert queries.begun.wait(60)
        assert again.ask(FEW).error[0] == 1226
        gone.raw._force_close()
        wait_until(lambda: len(again.ask(FEW).rows) == 4, "its seat is free")


def test_a_user_is_called_by_its_name_and_sees_no_session_of_others(private_cluster: PrivateCluster) -> None:
    """The server's own words for it; names of its accounts are given to nobody."""
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(opened(private_cluster, Held(), NO_QUOTA))
        ann, bob, root = (stack.enter_context(client_of(door, user)) for user in ("ann", "b.o-b", "root"))
        asked = "SELECT CURRENT_USER(), USER(), CURRENT_ROLE()"
        assert ann.ask(asked).rows == [(b"ann@localhost", b"ann@localhost", b"skyshard_door_users")]
        assert bob.ask("SELECT CURRENT_USER()").rows == [(b"b.o-b@localhost",)]
        shared = (b"skyshard_door@localhost",)
        assert root.ask("SELECT CURRENT_USER()").rows == [shared]
        for name in ("skyshard_admin", "Skyshard_Reader", "mysql", "a'b"):
            with client_of(door, name) as other:
                assert other.ask("SELECT CURRENT_USER()").rows == [shared]
        grants = b"".join(row[0] or b"" for row in ann.ask("SHOW GRANTS").rows)
        assert (b"skyshard_door_users" in grants, b"ALL PRIVILEGES" in grants) == (True, False)
        for statement in ("SHOW EXPLAIN FOR {}", "SHOW ANALYZE FOR {}"):
            assert ann.ask(statement.format(bob.raw.thread_id())).error
        users = "SELECT DISTINCT GRANTEE FROM information_schema.USER_PRIVILEGES"
        assert ann.ask(users).rows == [(b"'ann'@'localhost'",)]
        assert bob.ask("SELECT 1").rows == [(b"1",)]


def test_wrong_tokens_slow_their_address_down(private_cluster: PrivateCluster) -> None:
    """The next try is refused unseen where its turn is too late; who was let in before goes on."""
    services = replace(played_services(Held(), Keys(ann=Scope.QUERY)), empty_server=DoorServer(private_cluster.folder))
    with open_door(services) as door:
        place = {"host": door.host, "port": door.port, "user": "any"}
        with contextlib.closing(WireClient(password="ann", **place)) as ann:
            with pytest.raises(pymysql.MySQLError, match=r"1045.*no token"):
                WireClient(password="wrong", **place)
            for _ in range(9):
                door.door._admission._back_off.note(door.host, "wrong", is_right=False)
            door.door._admission._back_off.turn(door.host, "wrong")
            with pytest.raises(pymysql.MySQLError, match=r"1129.*too many wrong tokens came from this address"):
                WireClient(password="wrong", **place)
            assert ann.ask("SELECT CURRENT_USER()").rows == [(b"ann@localhost",)]
            with contextlib.closing(WireClient(password="ann", **place)) as again:
                assert again.ask("SELECT 1").rows == [(b"1",)]


def test_a_token_that_is_revoked_ends_its_sessions(private_cluster: PrivateCluster) -> None:
    """Those that wait, and one in the middle of a statement, which is stopped; not those of others."""
    keys, queries, found = Keys(ann=Scope.QUERY, bob=Scope.QUERY), Held(), list[WireAnswer]()
    services = replace(played_services(queries, keys), empty_server=DoorServer(private_cluster.folder))
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(open_door(services))
        place = {"host": door.host, "port": door.port, "user": "any"}
        ann, idle, bob = (
            stack.enter_context(contextlib.closing(WireClient(password=name, **place)))
            for name in ("ann", "ann", "bob")
        )
        stack.callback(queries.go.set)
        asking = threading.Thread(target=lambda: found.append(ann.ask(HELD)))
        asking.start()
        assert queries.begun.wait(60)
        keys.revoke("ann")
        asking.join()
        assert found[0].error[0] == 2013
        assert idle.raw._sock.recv(1) == b""
        assert bob.ask("SELECT 1").rows == [(b"1",)]


def test_more_rows_than_allowed_are_an_error(private_cluster: PrivateCluster) -> None:
    """Not an answer that looks whole."""
    with opened(private_cluster, Held(), Quota(rows=3)) as door, client_of(door, "ann") as ann:
        assert "the quota 'rows' of 'ann' allows" in ann.ask(FEW).error[1]
        assert ann.ask("SELECT 1").rows == [(b"1",)]
