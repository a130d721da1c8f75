"""The cluster file of a private cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.cluster_file import locating_settings, read_cluster_file
from skyshard.cluster.setting_names import SettingError

TEXT = """\
version: 1
name: wide-nodes
nodes: 2
options:
  nodes: {key-buffer-size: 64M, flush: ON}
  node2:
    innodb_io_capacity: 400
  czar: {sort_buffer_size: 8M}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "c.yaml"
    file.write_text(text)
    return file


def test_a_file_says_name_nodes_and_options(tmp_path: Path) -> None:
    """Values are kept as MariaDB writes them, whatever YAML makes of them."""
    found = read_cluster_file(written(tmp_path, TEXT)).description
    assert (found.name, found.nodes) == ("wide-nodes", 2)
    assert found.settings == {
        "nodes": {"key_buffer_size": "64M", "flush": "ON"},
        "node2": {"innodb_io_capacity": "400"},
        "czar": {"sort_buffer_size": "8M"},
    }


def test_names_of_nodes_are_their_number(tmp_path: Path) -> None:
    """As a private cluster calls them."""
    assert read_cluster_file(written(tmp_path, "version: 1\nnodes: [node1, node2]\n")).nodes == 2


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("name: x\n", "line 1, key 'version': it is missing"),
        ("version: 2\n", "install a newer release"),
        ("version: 1\nnods: 3\n", "line 2, key 'nods': there is no such key"),
        ("version: 1\nnodes: 0\n", "line 2, key 'nodes'"),
        (
            "version: 1\nnodes: [db1, db2]\n",
            "line 2, key 'nodes.0': private nodes are node1, node2 and so on",
        ),
        ("version: 1\noptions:\n  nods: {flush: ON}\n", "line 3, key 'options.nods': there is no such server"),
        ("version: 1\noptions:\n  czar:\n    port: 3306\n", "line 4, key 'options.czar.port'.*open the cluster"),
        ("version: 1\noptions:\n  czar: {flush: }\n", "line 3, key 'options.czar.flush'"),
        ("version: 1\noptions: [flush]\n", "line 2, key 'options'"),
        ("version: 1\nname: 'a b'\n", "line 2, key 'name'"),
        ("version: [\n", "is not YAML"),
    ],
)
def test_a_wrong_key_is_named_with_file_and_line(tmp_path: Path, text: str, what: str) -> None:
    """In one line, with what to do."""
    with pytest.raises(UserError, match=what) as refused:
        read_cluster_file(written(tmp_path, text))
    assert "c.yaml" in str(refused.value)
    assert refused.value.remedy
    assert "\n" not in str(refused.value)


def test_what_the_server_refuses_is_located_too(tmp_path: Path) -> None:
    """The line of the setting, whichever way its name is written."""
    file = written(tmp_path, TEXT)
    with pytest.raises(UserError, match=r"c\.yaml', line 5: too big; less"), locating_settings(file):
        raise SettingError("too big", remedy="less", name="key_buffer_size", scope="nodes")
    with pytest.raises(UserError, match=r"c\.yaml', line 7: too big; less"), locating_settings(file):
        raise SettingError("too big", remedy="less", name="innodb_io_capacity", scope="node2")
    with pytest.raises(SettingError, match=r"^too big; less$"), locating_settings(file):
        raise SettingError("too big", remedy="less", name="sort_buffer_size", scope="node2")
