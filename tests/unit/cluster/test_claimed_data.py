"""Whose a data folder is, and who works with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.cluster.claimed_data import MARKER, claimed, note_version


def made(data: Path, node: str = "node1", version: str = "10.11.6") -> str:
    data.mkdir(exist_ok=True)
    return note_version(data, "lab", node, version)


def test_another_nodes_folder_is_refused(tmp_path: Path) -> None:
    """The error names both nodes and both clusters; the node itself may have it, again and again."""
    data = tmp_path / "mysql"
    made(data)
    for cluster, node in (("lab", "node2"), ("other", "node1")):
        said = f"is that of node node1 of cluster lab, not of {node} of {cluster}"
        with pytest.raises(UserError, match=said), claimed(data, cluster, node):
            pass
    for _ in range(2):
        with claimed(data, "lab", "node1"):
            pass


def test_a_folder_that_does_not_say_whose_it_is_is_refused(tmp_path: Path) -> None:
    """A damaged file is no permission."""
    made(tmp_path / "mysql")
    (tmp_path / "mysql" / MARKER).write_text("{")
    with pytest.raises(UserError, match="does not say whose data"), claimed(tmp_path / "mysql", "lab", "node1"):
        pass


def test_one_supervisor_at_a_time(tmp_path: Path) -> None:
    """Also before the folder is there."""
    data = tmp_path / "mysql"
    with (
        claimed(data, "lab", "node1"),
        pytest.raises(UserError, match="another process"),
        claimed(data, "lab", "node1"),
    ):
        pass


def test_the_version_that_a_folder_had_before_is_known(tmp_path: Path) -> None:
    """So that a supervisor can warn of a server that is newer or older than the data."""
    assert [made(tmp_path / "mysql", version=version) for version in ("10.6.1", "10.11.6")] == ["", "10.6.1"]


def test_users_without_a_name_have_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In containers a user may have none."""
    monkeypatch.setattr("os.geteuid", lambda: 4_000_000)
    with pytest.raises(UserError, match="not 4000000's; run this as"), claimed(tmp_path, "lab", "node1"):
        pass
