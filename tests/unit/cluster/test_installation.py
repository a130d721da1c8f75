"""Which server is found, with stand-ins for the binary."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.cluster import installation
from skyshard.cluster.installation import find_mariadbd


def plant(folder: Path, version: str = "10.11.6-MariaDB", name: str = "mariadbd") -> Path:
    """A tree with a binary that says a version, and the system tables beside it."""
    binary = folder / "usr" / "sbin" / name
    share = folder / "usr" / "share" / "mysql"
    binary.parent.mkdir(parents=True, exist_ok=True)
    share.mkdir(parents=True, exist_ok=True)
    binary.write_text(f"#!/bin/sh\necho '{binary}  Ver {version} for Linux'\n")
    binary.chmod(0o755)
    (share / "mysql_system_tables.sql").write_text("")
    return binary


@pytest.fixture(autouse=True)
def no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Look into folders of this test only."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    monkeypatch.setattr(installation, "checkout", lambda: checkout)
    monkeypatch.delenv("SKYSHARD_MARIADB_ROOT", raising=False)
    monkeypatch.setenv("SKYSHARD_MARIADB_SEARCH", str(tmp_path / "nothing"))
    return checkout


def test_nothing_found_names_the_remedy() -> None:
    """Without a server, the one line says what to install."""
    with pytest.raises(UserError, match="mariadb-server-core"):
        find_mariadbd()


def test_the_search_path_is_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first usable server of $SKYSHARD_MARIADB_SEARCH is taken."""
    first, second = plant(tmp_path / "a"), plant(tmp_path / "b")
    monkeypatch.setenv("SKYSHARD_MARIADB_SEARCH", f"{first.parent}:{second.parent}")
    found = find_mariadbd()
    assert (found.binary, found.version, found.libraries) == (first, (10, 11, 6), ())


@pytest.mark.parametrize("version", ["10.5.23-MariaDB", "8.0.36"])
def test_a_server_that_is_too_old_or_no_mariadb_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """MariaDB before 10.6, or MySQL, is not used, and the error says why."""
    old = plant(tmp_path / "old", version)
    monkeypatch.setenv("SKYSHARD_MARIADB_SEARCH", str(old.parent))
    with pytest.raises(UserError, match=r"older than 10\.6|does not run as a MariaDB server"):
        find_mariadbd()


def test_the_unpacked_tree_of_the_checkout_comes_last(tmp_path: Path, no_checkout: Path) -> None:
    """A server unpacked beside the project is found without any variable, with its libraries."""
    (no_checkout / ".mariadb" / "usr" / "lib" / "x86_64-linux-gnu").mkdir(parents=True)
    binary = plant(no_checkout / ".mariadb")
    found = find_mariadbd()
    assert found.binary == binary
    assert str(no_checkout / ".mariadb" / "usr" / "lib" / "x86_64-linux-gnu") in found.environment["LD_LIBRARY_PATH"]


def test_a_named_tree_rules_out_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$SKYSHARD_MARIADB_ROOT is taken at its word: an empty tree is an error, not a reason to look elsewhere."""
    monkeypatch.setenv("SKYSHARD_MARIADB_SEARCH", str(plant(tmp_path / "a").parent))
    monkeypatch.setenv("SKYSHARD_MARIADB_ROOT", str(tmp_path / "empty"))
    with pytest.raises(UserError, match="no MariaDB server"):
        find_mariadbd()


def test_myrocks_is_that_of_the_servers_version(
    tmp_path: Path, no_checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unpacked beside the project, or where a variable says, unless the server has the plugin itself."""
    monkeypatch.setenv("SKYSHARD_MARIADB_ROOT", str(tmp_path / "root"))
    monkeypatch.delenv("SKYSHARD_MARIADB_PLUGINS", raising=False)
    plant(tmp_path / "root", "10.11.6-MariaDB")

    def plugin(tree: Path) -> Path:
        folder = tree / "usr/lib/mysql/plugin"
        folder.mkdir(parents=True)
        (folder / "ha_rocksdb.so").write_text("")
        return folder

    plugin(no_checkout / ".mariadb-plugins" / "10.11.7")
    assert find_mariadbd().plugin_options == []
    mine = plugin(no_checkout / ".mariadb-plugins" / "10.11.6")
    assert find_mariadbd().plugins == mine
    assert find_mariadbd().plugin_options[0] == "plugin-load-add=ha_rocksdb.so"
    named = plugin(tmp_path / "named" / "10.11.6")
    monkeypatch.setenv("SKYSHARD_MARIADB_PLUGINS", str(tmp_path / "named"))
    assert find_mariadbd().plugins == named
    own = plugin(tmp_path / "root")
    assert find_mariadbd().plugins == own
