"""What is kept of the settings of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.cluster.settings import ClusterDescription, ServerSettings
from skyshard.cluster.settings_file import FILE, Chosen, read_chosen, write_chosen

SERVERS = ("czar", "mono", "node1")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Also what a change goes for; without a file nothing is chosen."""
    assert read_chosen(tmp_path) == Chosen()
    chosen = Chosen(
        name="wide",
        settings=ServerSettings(by_scope={"nodes": {"flush": "ON"}}),
        pending=ServerSettings(by_scope={"czar": {"flush": "ON"}}),
    )
    write_chosen(tmp_path, chosen)
    assert read_chosen(tmp_path) == chosen


def test_how_scans_are_answered_is_kept(tmp_path: Path) -> None:
    """In a file that releases before refuse; without it the file is as they read it."""
    write_chosen(tmp_path, Chosen(scan="rows"))
    assert (read_chosen(tmp_path).scan, read_chosen(tmp_path).version) == ("rows", 2)
    write_chosen(tmp_path, read_chosen(tmp_path).model_copy(update={"scan": "auto"}))
    assert read_chosen(tmp_path) == Chosen()
    assert "scan" not in (tmp_path / FILE).read_text()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "is not readable as settings"),
        ('{"version": 3}', "install a newer release"),
        ('{"version": 1, "set": {}}', "key 'set'"),
        ('{"version": 1, "settings": {"by_scope": {"nodes": {"skip_networking": "0"}}}}', "cannot be chosen"),
        ('{"version": 1, "settings": {"by_scope": {"nodes": {"flush": "1 --init-file=x"}}}}', "cannot be one"),
    ],
)
def test_a_torn_file_is_refused(tmp_path: Path, text: str, what: str) -> None:
    """So is one of a later release, and one in which somebody wrote what would open the cluster."""
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match=what):
        read_chosen(tmp_path)


def test_a_cluster_file_replaces_what_was_chosen_and_words_come_on_top() -> None:
    """Without a file, words come on top of what was chosen."""
    before = Chosen(name="old", settings=ServerSettings(by_scope={"nodes": {"flush": "ON"}}))
    after, asked = before.after(["czar:flush=ON"], None, SERVERS)
    assert after.settings.words() == ["flush=ON", "czar:flush=ON"]
    assert asked == {"czar": {"flush": "ON"}}
    described = ClusterDescription("new", 1, {"node1": {"key_buffer_size": "8M"}})
    after, _ = before.after(["czar:flush=ON"], described, SERVERS)
    assert (after.name, after.settings.words()) == ("new", ["node1:key_buffer_size=8M", "czar:flush=ON"])


def test_a_cluster_file_names_only_servers_that_there_are() -> None:
    """Two nodes have no third."""
    with pytest.raises(UserError, match="no server 'node3'"):
        Chosen().after([], ClusterDescription("", 1, {"node3": {"flush": "ON"}}), SERVERS)
