"""A check of a cluster whose nodes are on other hosts: each thing that is wrong is one line with node and remedy."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from tests.support.authority import Authority
from tests.support.hosts import Host, Lab
from tests.support.network_server import PASSWORDS, PORT, NetworkServer, Servers, write_passwords

from skyshard.catalog.cluster_file import describe_cluster
from skyshard.cluster.named_cluster import NamedCluster
from skyshard.cluster.named_description import NamedDescription
from skyshard.db.connection import Account, connect
from skyshard.testbed.check.check_cluster import NO_RAY, check_cluster
from skyshard.testbed.check.cluster_check import CheckedCluster

pytestmark = pytest.mark.hosts
FILE = """
version: 1
name: lab
czar: {{socket: {socket}, data: {data}}}
nodes:
- {{name: node1, host: {host}, data: /data1}}
{more}
tls: {{ca: tls/ca.crt, cert: tls/tls.crt, key: tls/tls.key}}
passwords: passwords
"""


@dataclass
class Site:
    """A host with the czar's server, and one with a node's; ``found`` is what the last check found."""

    lab: Lab
    czar: Host
    authority: Authority
    server: NetworkServer
    czar_server: NetworkServer
    found: CheckedCluster = field(init=False)

    @property
    def cluster(self) -> NamedCluster:
        return NamedCluster(self.czar.folder / "cluster")

    def check(self, host: str = "node1", more: str = "") -> dict[str, list[str]]:
        """Faults and remarks by server after the cluster file named this host for node1."""
        text = FILE.format(socket=self.czar_server.beside.socket, data=self.czar_server.data, host=host, more=more)
        (self.czar.folder / "cluster.yaml").write_text(text)
        described = describe_cluster(self.czar.folder / "cluster.yaml")
        assert isinstance(described, NamedDescription)
        self.cluster.describe(described)
        with self.czar.network():
            self.found = check_cluster(self.cluster)
        said = {server.name: [*server.faults, *server.remarks] for server in self.found.servers}
        return {name: lines for name, lines in said.items() if lines}

    def serve_with(self, authority: Authority, *names: str, days_ago: int = 0) -> None:
        """Give node1's server another certificate."""
        authority.issue(self.server.host.folder / "tls", *names, days_ago=days_ago)
        with connect(self.server.beside, Account.ADMIN) as admin:
            admin.execute("FLUSH SSL")


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    czar, node = lab.add("czar"), lab.add("node1")
    authority = Authority(lab.folder / "authority")
    write_passwords(czar.folder / "passwords")
    servers = Servers(lab.folder / "template")
    own = authority.issue(czar.folder / "tls", "czar", czar.address)
    czar_server = servers.start(czar, own)
    server = servers.start(node, authority.issue(node.folder / "tls", "node1", node.address))
    return Site(lab, czar, authority, server, czar_server)


def test_a_good_node(site: Site) -> None:
    """TLS, certificate and version come with it, and that rows are carried by files."""
    assert site.check() == {}
    facts = site.found.servers[1].facts
    assert facts is not None
    assert (facts.tls, facts.host, facts.version[:3]) == ("TLSv1.3", "node1", "10.")
    assert 25 < (facts.certificate_days or 0) < 31
    assert site.found.remarks == (NO_RAY,)


def test_two_nodes_of_one_server(site: Site) -> None:
    """By name and by address it is one."""
    twin = f"- {{name: node2, host: {site.server.host.address}, data: /data2}}"
    [(name, [fault])] = site.check(more=twin).items()
    assert name == "node2"
    assert "its data folder is that of node1 (node1:" in fault


def test_the_command_ends_with_3_where_one_fails(site: Site) -> None:
    """What fails is a line below the table."""
    site.check()
    assert site.check(host="nowhere.example")
    ran = site.czar.skyshard("cluster", "check", "--cluster", str(site.cluster.folder), check=False)
    assert ran.returncode == 3
    assert "\nnode1 (nowhere.example:3306): no server answers" in ran.stdout


def test_an_unknown_host(site: Site) -> None:
    [(_, [fault])] = site.check(host="nowhere.example").items()
    assert fault.startswith("node1 (nowhere.example:3306): ")
    assert "no server answers" in fault


def test_certificates_that_do_not_hold(site: Site) -> None:
    """One that has expired, one of a stranger, one of another host; one that ends soon is only remarked."""
    said = []
    try:
        site.serve_with(site.authority, "node1", days_ago=9)
        said += site.check()["node1"]
        site.serve_with(Authority(site.lab.folder / "stranger"), "node1")
        said += site.check()["node1"]
        site.serve_with(site.authority, "node7")
        said += site.check()["node1"]
    finally:
        site.serve_with(site.authority, "node1", site.server.host.address)
    expired, strange, other = said
    assert "certificate has expired" in expired
    assert "self-signed certificate in certificate chain" in strange
    assert "not valid for 'node1'" in other
    assert all("; check the certificates" in line for line in said)


def test_a_wrong_password(site: Site) -> None:
    """Of any account that works from here."""
    for account in (Account.ADMIN, Account.READER, Account.CARRIER):
        write_passwords(site.czar.folder / "passwords", {account: "another"})
        try:
            found = site.check()
        finally:
            write_passwords(site.czar.folder / "passwords", PASSWORDS)
        assert f"refuses {account} with the password of" in found["node1"][0]


def test_a_cable_that_is_out(site: Site) -> None:
    site.server.host.pull_cable()
    try:
        [(_, [fault])] = site.check().items()
    finally:
        site.server.host.plug()
    assert f"node1 (node1:{PORT}): no server answers" in fault
