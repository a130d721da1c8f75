"""Sessions on a real server: rights of the accounts, streams, lost sessions, mapped errors."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
import sqlalchemy

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, Connection, Endpoint, connect
from skyshard.db.left_statements import end_left
from skyshard.db.lock_names import KEY_FILE, key_in, key_of, lock_name
from skyshard.db.short_transactions import ShortTransactions
from skyshard.db.sqlalchemy_engine import sqlalchemy_engine
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.registry.registry import Registry

pytestmark = pytest.mark.integration

DATABASE = "connection_test"


@pytest.fixture(scope="module")
def endpoint(private_cluster: PrivateCluster) -> Iterator[Endpoint]:
    """A node with a table of 10,000 numbers."""
    found = private_cluster.endpoint("node1")
    with connect(found, Account.LOADER) as loader:
        loader.execute(f"CREATE DATABASE {DATABASE}")
        loader.execute(
            f"CREATE TABLE {DATABASE}.numbers (n INT PRIMARY KEY, t VARCHAR(9), b VARBINARY(9)) ENGINE=MyISAM"
        )
        loader.execute(f"USE {DATABASE}")
        loader.execute(f"INSERT INTO {DATABASE}.numbers SELECT seq, 'é', 'x' FROM seq_1_to_10000")
        yield found
        loader.execute(f"DROP DATABASE {DATABASE}")


@pytest.fixture
def reader(endpoint: Endpoint) -> Iterator[Connection]:
    with connect(endpoint, Account.READER, DATABASE) as connection:
        yield connection


LEAVES = """
import sys
from skyshard.db.connection import Endpoint, at_once, connect, only_if
connect(Endpoint(socket=sys.argv[1])).rows(at_once("DO 1", only_if("1 = 1", "SELECT SLEEP(300)"), "DO 2"))
"""


def test_a_statement_within_another_is_ended_when_its_process_is_gone(reader: Connection) -> None:
    """Of those that are sent together a server shows the one that runs, without what stands in front of them all: a
    merge of few rows, whose command was killed, went on for hours."""
    with subprocess.Popen([sys.executable, "-c", LEAVES, reader.endpoint.socket]) as beside:
        while not (shown := [row[7] for row in reader.rows("SHOW PROCESSLIST") if "SLEEP(300)" in str(row[7])]):
            assert beside.poll() is None
            time.sleep(0.05)
        assert end_left(reader) == 0, f"its process is there: {shown}"
        beside.kill()
        beside.wait()
        assert end_left(reader) == 1


def test_a_session_that_was_interrupted_in_a_statement_is_closed(
    reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C may come when a statement was sent, and before its answer is waited for: the next one would wait for that
    answer, for hours, and take it for its own."""

    def interrupted(**_: bool) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(reader._raw, "_read_query_result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reader.value("SELECT 1")
    monkeypatch.undo()
    assert not reader.is_open
    with pytest.raises(ClusterError, match="the connection is closed"):
        reader.value("SELECT 2")


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO numbers VALUES (0, '', '')",
        "UPDATE numbers SET t = ''",
        "DELETE FROM numbers",
        "DROP TABLE numbers",
        "CREATE TABLE other (x INT)",
        "CREATE DATABASE other",
        "SELECT * FROM mysql.global_priv",
        "SELECT 1 INTO OUTFILE '/tmp/skyshard-never'",
        "SET GLOBAL max_connections = 1",
    ],
)
def test_the_reader_writes_nothing_and_sees_no_accounts(reader: Connection, sql: str) -> None:
    """Outside the scratch database the reader can only read, and never the system tables."""
    with pytest.raises(UserError, match="denied"):
        reader.execute(sql)


def test_the_reader_may_use_the_scratch_database(reader: Connection) -> None:
    """Partial results are made by the reader in skyshard_scratch."""
    reader.execute("CREATE TABLE skyshard_scratch.r ENGINE=MyISAM ROW_FORMAT=FIXED AS SELECT n FROM numbers LIMIT 5")
    assert reader.value("SELECT COUNT(*) FROM skyshard_scratch.r") == 5
    reader.execute("DROP TABLE skyshard_scratch.r")


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM mysql.global_priv", "DROP TABLE mysql.db", "CREATE USER eve", "SET GLOBAL max_connections = 1"],
)
def test_the_loader_does_not_reach_the_system(endpoint: Endpoint, sql: str) -> None:
    """The loader makes and fills tables, but neither reads nor changes the system tables."""
    with connect(endpoint, Account.LOADER) as loader, pytest.raises(UserError, match="denied"):
        loader.execute(sql)


def test_accounts_have_their_sql_mode(endpoint: Endpoint) -> None:
    """The loader is strict, the reader is not; both speak latin1 in UTC."""
    facts = "SELECT @@sql_mode, @@character_set_connection, @@collation_connection, @@time_zone"
    with connect(endpoint, Account.LOADER) as loader, connect(endpoint) as reader:
        latin = ("latin1", "latin1_swedish_ci", "+00:00")
        assert loader.rows(facts) == [("STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", *latin)]
        assert reader.rows(facts) == [("", *latin)]


def test_text_is_str_and_binary_is_bytes(reader: Connection) -> None:
    """Text columns come as str, in utf8mb4 (45), binary ones (63) as bytes, and the columns say which is which."""
    assert reader.rows("SELECT t, b FROM numbers WHERE n = %s", [1]) == [("é", b"x")]
    assert [(column.name, column.charset) for column in reader.columns] == [("t", 45), ("b", 63)]


def test_a_stream_brings_every_row(reader: Connection) -> None:
    """Batches have the asked-for size, the last one what is left, and the session is free afterwards."""
    sizes = [len(batch) for batch in reader.stream("SELECT n FROM numbers", batch_rows=4000)]
    assert sizes == [4000, 4000, 2000]
    assert reader.value("SELECT 1") == 1


def test_a_stream_that_is_given_up_closes_the_session(reader: Connection) -> None:
    """Nobody waits for the rest of a result that nobody wants."""
    stream = reader.stream("SELECT n FROM numbers", batch_rows=10)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not reader.is_open
    with pytest.raises(ClusterError, match="closed"):
        reader.rows("SELECT 1")


def test_a_killed_session_is_a_retryable_cluster_error(endpoint: Endpoint, reader: Connection) -> None:
    """A session that the server ends under us may be tried again, and closes without a murmur."""
    with connect(endpoint, Account.ADMIN) as admin:
        admin.execute(f"KILL {reader.thread_id}")
    with pytest.raises(ClusterError) as caught:
        reader.rows("SELECT 1")
    assert caught.value.retryable


def test_warnings_of_a_statement_are_told(reader: Connection) -> None:
    """Warnings come with level, code and text."""
    reader.execute("SELECT 1 + 'x'")
    assert [(level, code) for level, code, _ in reader.warnings()] == [("Warning", 1292)]


def test_wrong_statements_name_the_statement(reader: Connection) -> None:
    """A server's complaint comes with the statement it is about."""
    with pytest.raises(UserError, match=r"doesn't exist \(1146\) in 'SELECT \* FROM nothing'"):
        reader.rows("SELECT * FROM nothing")


def test_an_engine_maps_errors_but_keeps_violated_keys(endpoint: Endpoint) -> None:
    """Through SQLAlchemy, wrong statements are UserErrors and duplicate keys stay IntegrityErrors."""
    engine = sqlalchemy_engine(endpoint, Account.ADMIN, DATABASE)
    try:
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT COUNT(*) FROM numbers")).scalar_one() == 10_000
            with pytest.raises(UserError, match="1146"):
                connection.execute(sqlalchemy.text("SELECT * FROM nothing"))
            with pytest.raises(sqlalchemy.exc.IntegrityError):
                connection.execute(sqlalchemy.text("INSERT INTO numbers VALUES (1, '', '')"))
    finally:
        engine.dispose()


def test_a_short_transaction_is_all_or_nothing(endpoint: Endpoint) -> None:
    """What a transaction wrote before it failed is not there, a reader sees one state throughout, texts are whole."""
    plain, count, text = ShortTransactions(endpoint), f"SELECT COUNT(*) FROM {DATABASE}.short", "é → 天 🜨 %s"
    try:
        with plain.single() as connection:
            connection.execute(
                f"CREATE OR REPLACE TABLE {DATABASE}.short (t VARCHAR(20) PRIMARY KEY) ENGINE=InnoDB CHARSET=utf8mb4"
            )
        twice = [(text,), (text,)]
        with plain.writing() as connection:
            connection.insert(f"{DATABASE}.short", [("a",)])
        with contextlib.suppress(UserError), plain.writing() as connection:
            connection.execute(f"DELETE FROM {DATABASE}.short")
            connection.insert(f"{DATABASE}.short", twice)
        with plain.writing() as connection:
            assert connection.execute(f"DELETE FROM {DATABASE}.short") == 1
        with plain.reading() as reader:
            assert reader.value(count) == 0
            with plain.writing() as connection:
                connection.execute(f"INSERT INTO {DATABASE}.short VALUES (%s)", [text])
            assert reader.value(count) == 0
        with plain.reading() as reader:
            assert reader.rows(f"SELECT t FROM {DATABASE}.short") == [(text,)]
        with pytest.raises(UserError, match="1792"), plain.reading() as reader:
            reader.execute(f"DELETE FROM {DATABASE}.short")
    finally:
        plain.close()


def test_an_engines_transaction_is_all_or_nothing(endpoint: Endpoint) -> None:
    """What a transaction wrote before it failed is not there, and a reader sees one state throughout."""
    engine = sqlalchemy_engine(endpoint, Account.ADMIN, DATABASE)
    count = sqlalchemy.text("SELECT COUNT(*) FROM kept")
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE OR REPLACE TABLE kept (n INT PRIMARY KEY) ENGINE=InnoDB"))
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("INSERT INTO kept VALUES (1)"))
            connection.rollback()
        with engine.connect() as reader:
            assert reader.execute(count).scalar_one() == 0
            with engine.begin() as connection:
                connection.execute(sqlalchemy.text("INSERT INTO kept VALUES (2)"))
            assert reader.execute(count).scalar_one() == 0
        with engine.connect() as reader:
            assert reader.execute(count).scalar_one() == 1
    finally:
        engine.dispose()


def test_an_engine_without_server_is_a_cluster_error() -> None:
    """A registry that cannot be reached is the cluster's fault."""
    engine = sqlalchemy_engine(Endpoint(socket="/nowhere.sock"))
    with pytest.raises(ClusterError, match="no server answers"):
        engine.connect()
    engine.dispose()


def test_inserted_rows_come_back_as_they_were(reader: Connection) -> None:
    """Numbers that are written without the driver, and values that need it, are stored as they are, NULLs too."""
    reader.execute(
        "CREATE TEMPORARY TABLE skyshard_scratch.kept "
        "(a BIGINT, b DOUBLE, c VARCHAR(20), d DECIMAL(10, 3), e VARBINARY(9))"
    )
    rows = [
        (-(2**63), 5e-324, "100 % it's\\", Decimal("1.250"), b"\x00%s'\\"),
        (None, None, None, None, None),
        (2**63 - 1, -1.7976931348623157e308, "%s", Decimal("-0.001"), b""),
        (0, 0.1, "", Decimal("9999999.999"), b"\xff"),
    ]
    assert reader.insert("skyshard_scratch.kept", rows) == len(rows)
    assert reader.rows("SELECT * FROM skyshard_scratch.kept") == rows
    assert reader.insert("skyshard_scratch.kept", [(1, 2.5, None, None, None)]) == 1


@pytest.mark.parametrize("account", [Account.READER, Account.LOADER])
@pytest.mark.parametrize("secret", ["PASSWORD('secret')", "'*E6CC90B878B948C35E92B003C792C46C58C4AF40'"])
def test_an_account_that_gives_itself_a_password_shuts_nobody_out(
    endpoint: Endpoint, account: Account, secret: str
) -> None:
    """MariaDB lets everybody set his own: the next session takes it off again."""
    with connect(endpoint, account) as connection:
        connection.execute(f"SET PASSWORD = {secret}")
    for _ in range(2):
        with connect(endpoint, account) as connection:
            assert connection.value("SELECT 1") == 1


def test_locks_of_ingests_cannot_be_taken_by_others(private_cluster: PrivateCluster) -> None:
    """Names that one knows, or finds out as a reader, are not those of the locks."""
    node, czar = private_cluster.endpoint("node1"), private_cluster.endpoint("czar")
    registry, loader = Registry(czar), MariaDBLoader("node1", node, str(private_cluster.data_dir("node1")))
    registry.prepare()
    with connect(node, Account.READER) as here, connect(czar, Account.READER) as there:
        for what in ("load locked", "ingest locked", "locked"):
            for connection in (here, there):
                assert connection.value("SELECT GET_LOCK(%s, 0)", [f"skyshard {what}"]) == 1
                assert connection.value("SELECT GET_LOCK(%s, 0)", [lock_name("", what)]) == 1
        with pytest.raises(UserError, match="denied"):
            key_of(there)
        with pytest.raises(UserError, match="denied"):
            there.rows("SELECT * FROM mysql.skyshard_key")
        assert here.value("SELECT LOAD_FILE(CONCAT(@@datadir, %s))", [KEY_FILE]) is None
        loader.hold("locked")
        with registry.exclusive("ingest locked"):
            pass
    other = MariaDBLoader("node1", node, str(private_cluster.data_dir("node1")))
    assert key_in(private_cluster.data_dir("node1")) == key_in(private_cluster.data_dir("node1"))
    with (
        registry.exclusive("locked"),
        pytest.raises(ClusterError, match="under way elsewhere"),
        registry.exclusive("locked"),
    ):
        pass
    loader.release("locked")
    other.hold("locked")
    other.release("locked")
    registry.close()
