"""The cluster file of a cluster on many machines: what it means, and one line for what is wrong."""

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.cluster_file import describe_cluster, read_named_file
from skyshard.cluster.named_description import NamedDescription
from skyshard.runtime.ray_address import RayAddress

WHOLE = """\
version: 1
name: survey-a
czar: {socket: run/czar.sock, data: /var/lib/skyshard/czar}
defaults: {port: 3306, socket: /run/mysqld/mysqld.sock, data: /var/lib/skyshard/mysql, cores: 16}
nodes:
  - {name: node1, host: db1.survey-a.internal}
  - {name: node2, host: db2.survey-a.internal, port: 3307, cores: 32, staging: /scratch/staging}
  - {names: "store-{08..10}", host: "{name}.store", data: "/data/{name}/mysql"}
tls: {ca: tls/ca.crt, cert: tls/tls.crt, key: tls/tls.key}
passwords: passwords
ray: {address: "czar.survey-a.internal", token: ray/auth_token}
silence_s: 6
options: {nodes: {key-buffer-size: 64M}, store-09: {flush: on}}
"""


def read(folder: Path, text: str) -> NamedDescription:
    (folder / "cluster.yaml").write_text(text)
    return read_named_file(folder / "cluster.yaml")


def test_a_whole_file(tmp_path: Path) -> None:
    """Patterns, defaults, what stands beside the data, and paths that are relative to the file."""
    found = read(tmp_path, WHOLE)
    assert found.node_names == ("node1", "node2", "store-08", "store-09", "store-10")
    assert found.czar.socket == tmp_path / "run/czar.sock"
    second = found.named("node2")
    assert (second.port, second.cores, second.staging) == (3307, 32, Path("/scratch/staging"))
    store = found.node("store-09")
    assert (store.sql.host, store.sql.port, store.cores) == ("store-09.store", 3306, 16)
    assert (store.data, store.staging) == (Path("/data/store-09/mysql"), Path("/data/store-09/staging"))
    assert store.sql.tls is not None
    assert store.sql.tls.ca == str(tmp_path / "tls/ca.crt")
    assert store.beside.socket == "/run/mysqld/mysqld.sock"
    assert store.sql.secrets == store.beside.secrets == str(tmp_path / "passwords")
    assert not store.is_here
    assert found.ray_address == RayAddress("czar.survey-a.internal", 6379, str(tmp_path / "ray/auth_token"))
    assert found.options == {"nodes": {"key_buffer_size": "64M"}, "store-09": {"flush": "ON"}}


def test_either_kind_of_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "private.yaml").write_text("version: 1\nnodes: 2\n")
    (tmp_path / "named.yaml").write_text(WHOLE)
    assert describe_cluster(tmp_path / "private.yaml").nodes == 2
    assert isinstance(describe_cluster(tmp_path / "named.yaml"), NamedDescription)


def test_nodes_of_this_host_need_neither_tls_nor_passwords(tmp_path: Path) -> None:
    text = 'version: 1\nname: one\nnodes: [{names: "n{1..2}", socket: "/run/{name}.sock", data: "/d/{name}"}]\n'
    assert [node.sql.socket for node in map(read(tmp_path, text).node, ("n1", "n2"))] == [
        "/run/n1.sock",
        "/run/n2.sock",
    ]


NODE = "version: 1\nname: a\nnodes:\n"
LOCAL = "- {name: node1, host: 127.0.0.1, data: /d1, port: 3301}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NODE + "- {name: node1, host: db1}\n", "host 'db1' is off this machine and `tls` is missing; give `tls` and"),
        (NODE + "- {name: node1, hosts: db1}\n", "key 'nodes.0.hosts'"),
        (NODE + "- {host: 127.0.0.1}\n", "a node has either `name` or `names`"),
        (NODE + "- {name: a, names: 'a{0..1}'}\n", "a node has either `name` or `names`"),
        (NODE + "- {names: 'a{3..1}', host: ''}\n", "{3..1} is no range of up to 10000 numbers"),
        (NODE + "- {names: 'abc', host: ''}\n", "`abc` has no {0..2} in it"),
        (NODE + "- {name: czar}\n", "'czar' cannot be a node's name"),
        (NODE + LOCAL + "- {name: node1, data: /d2}\n", "node 'node1' is named twice; name each node once"),
        (NODE + LOCAL + "- {name: node2, host: 127.0.0.1, data: /d1}\n", "'node1' and 'node2' have one data folder"),
        (NODE + LOCAL + "- {name: node2, host: 127.0.0.1, data: /d2, port: 3301}\n", "have one server"),
        (NODE + LOCAL + "options: {node7: {flush: ON}}\n", "there is no such server"),
        (NODE + LOCAL + "silence_s: 0\n", "key 'silence_s'"),
        (NODE + LOCAL + "ray: {address: 'a b', token: t}\n", "key 'ray.address'"),
        ("version: 2\nname: a\nnodes: [{name: a}]\n", "2 is of a later release"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"'{tmp_path}/cluster.yaml'")
    assert "\n" not in str(caught.value)
