"""Sessions with servers on other hosts: safe or refused, and what is refused is said in one line."""

from __future__ import annotations

import contextlib
import pickle
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pymysql
import pytest
from tests.support import host_faults as faults
from tests.support.authority import Authority
from tests.support.hosts import Lab
from tests.support.network_server import PASSWORDS, PORT, SECRET, NetworkServer, Servers, write_passwords

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.catalog.cluster_file import describe_cluster
from skyshard.db.bulk_rows import BulkRows
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.db.tls import Tls
from skyshard.testbed.start_cluster import start_cluster

pytestmark = pytest.mark.hosts
MARKED = "a statement to be looked for on the wire"
EVERY_FRAME = 0x0003


@dataclass(frozen=True)
class Site:
    """A host that connects, one with a server, and who issued their certificates."""

    lab: Lab
    authority: Authority
    client: Tls
    server: NetworkServer

    @property
    def endpoint(self) -> Endpoint:
        return self.server.sql(self.lab["czar"], self.client)

    def serve_with(self, authority: Authority, *names: str, days_ago: int = 0) -> None:
        """Give the server another certificate."""
        authority.issue(self.server.host.folder / "tls", *names, days_ago=days_ago)
        with connect(self.server.beside, Account.ADMIN) as admin:
            admin.execute("FLUSH SSL")


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    """The test's thread is on the network of the host ``czar``."""
    czar, node = lab.add("czar"), lab.add("node1")
    authority = Authority(lab.folder / "authority")
    client = authority.issue(czar.folder / "tls", "czar", czar.address)
    write_passwords(czar.folder / "passwords")
    servers = Servers(lab.folder / "template")
    server = servers.start(node, authority.issue(node.folder / "tls", "node1", node.address))
    with czar.network():
        yield Site(lab, authority, client, server)


def refusal(endpoint: Endpoint, account: Account = Account.READER, timeout_s: float = 5.0) -> SkyshardError:
    """Why a session is refused: one line that names the node, with a remedy, and without a secret."""
    with pytest.raises(SkyshardError) as caught:
        connect(endpoint, account, connect_timeout_s=timeout_s)
    said = str(caught.value)
    assert "node1" in said
    assert "\n" not in said
    assert caught.value.remedy
    assert SECRET not in said
    return caught.value


def test_rows_come_in_bulk_by_tls(site: Site) -> None:
    """The client says twice what it can: before the session is one of TLS, and in it."""
    batch = pa.record_batch({"n": pa.array([1, None, 3], pa.int32())})
    form = BulkRows(batch.schema)
    with connect(site.endpoint, Account.ADMIN, is_for_bulk=True) as opened:
        assert opened.rows("SHOW STATUS LIKE 'Ssl_cipher'")[0][1]
        opened.execute("CREATE TEMPORARY TABLE skyshard_scratch.bulk (n INT)")
        statement = opened.prepare("INSERT INTO skyshard_scratch.bulk (n) VALUES (?)")
        assert opened.insert_bulk(statement, form.types, form.content(batch) or b"") == 3
        assert opened.rows("SELECT n FROM skyshard_scratch.bulk ORDER BY n") == [(None,), (1,), (3,)]


@pytest.mark.parametrize("account", [Account.ADMIN, Account.READER, Account.CARRIER])
def test_a_session_by_name_and_by_address(site: Site, account: Account) -> None:
    """The certificate holds both; the session is one of TLS."""
    for by_address in (False, True):
        with connect(site.server.sql(site.lab["czar"], site.client, by_address=by_address), account) as opened:
            assert opened.rows("SELECT @@hostname, CURRENT_USER()") == [("node1", f"{account}@%")]
            assert str(opened.rows("SHOW STATUS LIKE 'Ssl_version'")[0][1]).startswith("TLSv1.")


@pytest.mark.parametrize(
    ("name", "days_ago", "said"),
    [("node1", 9, "certificate has expired"), ("other", 0, "not valid for 'node1'")],
    ids=["expired", "of-another-host"],
)
def test_a_server_with_a_wrong_certificate_is_refused(site: Site, name: str, days_ago: int, said: str) -> None:
    """The password is not sent."""
    site.serve_with(site.authority, name, days_ago=days_ago)
    try:
        assert said in str(refusal(site.endpoint))
    finally:
        site.serve_with(site.authority, "node1", site.server.host.address)
    connect(site.endpoint).close()


def test_a_server_of_another_authority_is_refused(site: Site, tmp_path: Path) -> None:
    """Whatever name it gives itself."""
    stranger = Authority(tmp_path / "stranger", "tests")
    refused = refusal(replace(site.endpoint, tls=Tls(ca=str(stranger.certificate))))
    assert isinstance(refused, ClusterError)
    assert "certificate" in str(refused) or "signature" in str(refused)


def test_a_wrong_password_is_refused_with_the_name_of_its_file(site: Site, tmp_path: Path) -> None:
    """Nobody goes on without one, and none is taken off."""
    folder = write_passwords(tmp_path / "passwords", {Account.READER: "guessed"})
    refused = refusal(replace(site.endpoint, secrets=str(folder)))
    assert isinstance(refused, UserError)
    assert str(folder / "reader") in str(refused)
    assert "guessed" not in str(refused)
    connect(site.endpoint).close()


def test_a_password_that_others_may_read_is_refused(site: Site, tmp_path: Path) -> None:
    """Also where it is right."""
    folder = write_passwords(tmp_path / "passwords")
    (folder / "reader").chmod(0o644)
    with pytest.raises(UserError, match="others may read password file") as caught:
        connect(replace(site.endpoint, secrets=str(folder)))
    assert caught.value.remedy == f"chmod 600 {folder / 'reader'}"


def test_a_loader_does_not_come_from_another_host(site: Site) -> None:
    """It is for the worker beside the server."""
    assert "the server refuses skyshard_loader" in str(refusal(site.endpoint, Account.LOADER))
    connect(site.server.beside, Account.LOADER).close()


def test_an_unknown_host_is_named(site: Site) -> None:
    """And so is a node on it."""
    refused = refusal(replace(site.endpoint, host="nowhere.invalid"))
    assert "node1 (nowhere.invalid:3306): no server answers" in str(refused)
    assert "correct `host` in the cluster file" in refused.remedy


def test_a_port_without_a_server_and_a_host_without_a_cable_are_named(site: Site) -> None:
    """Of both another try may succeed."""
    refused = refusal(replace(site.endpoint, port=PORT + 1))
    assert isinstance(refused, ClusterError)
    assert refused.retryable
    assert "skyshard node run" in refused.remedy
    site.server.host.pull_cable()
    try:
        refused = refusal(site.endpoint, timeout_s=0.2)
    finally:
        site.server.host.plug()
    assert isinstance(refused, ClusterError)
    assert refused.retryable
    connect(site.endpoint).close()


def test_a_cluster_that_cannot_be_used_says_of_which_server_and_why(site: Site) -> None:
    """One that refuses, and a fault of all at once."""
    czar = site.lab["czar"].folder
    (czar / "cluster.yaml").write_text(
        f"{{version: 1, name: lab, czar: {{socket: {site.server.beside.socket}, data: {site.server.data}}},\n"
        "nodes: [{name: node1, host: node1, data: /there}], passwords: passwords,\n"
        "tls: {ca: tls/ca.crt, cert: tls/tls.crt, key: tls/tls.key}}"
    )
    described = describe_cluster(czar / "cluster.yaml")
    start_cluster(czar / "cluster", described=described)
    site.serve_with(site.authority, "node1", days_ago=9)
    with pytest.raises(ClusterError, match=r"1 of 2 servers of cluster lab cannot be used: node1 \(.*has expired"):
        start_cluster(czar / "cluster")
    site.serve_with(site.authority, "node1", site.server.host.address)
    (czar / "passwords" / "reader").chmod(0o644)
    with pytest.raises(
        UserError, match=r"2 of 2 .* \(czar, node1\), .*: others may read password file .*reader; chmod 600"
    ):
        start_cluster(czar / "cluster")
    (czar / "passwords" / "reader").chmod(0o600)


def test_a_server_takes_nothing_in_the_clear_from_another_host(site: Site) -> None:
    """Neither a client that would rather not, nor one with the right password."""
    with pytest.raises(pymysql.MySQLError) as caught:
        pymysql.connect(
            host="node1", port=PORT, user=Account.READER, password=PASSWORDS[Account.READER], ssl_disabled=True
        )
    assert caught.value.args[0] in (1045, 3159)
    with pytest.raises(UserError, match="no connection off this host without TLS"):
        connect(replace(site.endpoint, tls=None))


def test_nothing_can_be_read_on_the_way(site: Site) -> None:
    """Neither a password nor a statement nor its rows are in what the client's host sends and gets."""
    with contextlib.closing(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_FRAME))) as wire:
        wire.bind(("eth0", 0))
        with connect(site.endpoint) as opened:
            assert opened.rows(f"SELECT '{MARKED}'") == [(MARKED,)]
        wire.setblocking(False)
        heard = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                heard += wire.recv(1 << 16)
    assert b"MariaDB" in heard  # its greeting, before TLS begins
    assert MARKED.encode() not in heard
    assert SECRET.encode() not in heard


def test_a_session_that_was_reset_fails_and_the_next_one_is_as_before(site: Site) -> None:
    """It is the cluster's trouble, and worth another try."""
    with connect(site.endpoint) as opened:
        faults.reset_sessions(site.server.host, PORT)
        with pytest.raises(ClusterError) as caught:
            opened.value("SELECT 1")
    assert caught.value.retryable
    assert "node1" in str(caught.value)
    with connect(site.endpoint) as opened:
        assert opened.value("SELECT 1") == 1


def test_only_the_carrier_reads_files_and_only_those_of_scratch_tables(site: Site) -> None:
    """A reader that could make tables and read files could read every table's rows past its rights."""
    with connect(site.endpoint) as reader, connect(site.endpoint, Account.CARRIER) as carrier:
        reader.execute("CREATE OR REPLACE TABLE skyshard_scratch.held (word CHAR(8)) ENGINE=MyISAM")
        reader.execute("INSERT INTO skyshard_scratch.held VALUES ('seen')")
        held = "LOAD_FILE(CONCAT(@@datadir, 'skyshard_scratch/held.MYD'))"
        other = "LOAD_FILE(CONCAT(@@datadir, 'skyshard_scratch/../mysql/global_priv.MAD'))"
        with connect(site.server.beside, Account.LOADER) as loader:
            assert b"seen" in loader.value(f"SELECT {held}")
        assert reader.value(f"SELECT {held}") is None
        assert b"seen" in carrier.value(f"SELECT {held}")
        assert carrier.value(f"SELECT {other}") is None
        assert carrier.value("SELECT LOAD_FILE('/etc/passwd')") is None
        with pytest.raises(UserError):
            carrier.execute("SELECT 1 INTO OUTFILE '/tmp/written'")
        with pytest.raises(UserError):
            carrier.execute("CREATE TABLE skyshard_scratch.made (n INT)")
        reader.execute("DROP TABLE skyshard_scratch.held")


def test_no_secret_is_where_others_could_see_it(site: Site) -> None:
    """Neither among arguments and variables of processes, nor in logs, nor in what is sent to workers."""
    seen = [subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout]
    seen += [log.read_text(errors="replace") for log in site.lab.folder.glob("*/logs/*")]
    with connect(site.endpoint) as opened:
        seen += [repr(site.endpoint), str(site.endpoint), repr(vars(opened)), repr(pickle.dumps(site.endpoint))]
        seen.append(repr(opened.rows("SHOW FULL PROCESSLIST")))
    assert "mariadbd" in seen[0]
    assert all(SECRET in word for word in PASSWORDS.values())
    assert not [text for text in seen if SECRET in text]


def test_only_the_servers_port_needs_to_be_open(site: Site) -> None:
    """A firewall that lets nothing else in drops no packet of a session."""
    try:
        faults.close_all_but(site.server.host, [PORT])
        with connect(site.endpoint) as opened:
            assert len(opened.value("SELECT REPEAT('x', 3000000)")) == 3_000_000
        assert faults.lost_packets(site.server.host) == 0
        listening = site.server.host.run("ss", "--tcp", "--listening", "--numeric", "--no-header").stdout.splitlines()
        assert {line.split()[3].rpartition(":")[2] for line in listening} == {str(PORT)}
    finally:
        faults.nft(site.server.host, "flush ruleset")
