"""Settings of servers as users write them."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.cluster.setting_names import SettingError
from skyshard.cluster.settings import ServerSettings, byte_count, parse_settings

SERVERS = ("czar", "mono", "node1", "node2")


def test_a_word_without_a_server_is_for_all_nodes() -> None:
    """Names may be written with hyphens and capitals; the last word of a name is what SHOW VARIABLES has."""
    found = parse_settings(["Key-Buffer-Size=1G", "node2:flush=ON", "mono:flush=ON", "czar:flush=OFF"], SERVERS)
    assert found == {
        "nodes": {"key_buffer_size": "1G"},
        "node2": {"flush": "ON"},
        "mono": {"flush": "ON"},
        "czar": {"flush": "OFF"},
    }


def test_two_names_of_one_setting_are_one() -> None:
    """Both are given to a server only once."""
    with pytest.raises(SettingError, match=r"'tmp_memory_table_size' is given twice, as 1M and as 2M"):
        parse_settings(["tmp_table_size=1M", "tmp_memory_table_size=2M"], SERVERS)


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("key_buffer_size", "is not NAME=VALUE"),
        ("=1G", "is not NAME=VALUE"),
        ("key_buffer_size=", "it has no value"),
        ("key_buffer_size=1G --skip-grant-tables", "cannot be one"),
        ("key_buffer_size=1G\nskip_grant_tables", "cannot be one"),
        ("node3:key_buffer_size=1G", "no server 'node3'; name one of nodes, czar, mono, node1, node2"),
        ("datadir=/tmp", "Skyshard says where files are"),
        ("skip-networking=OFF", "it would open the cluster"),
    ],
)
def test_other_words_are_refused_in_one_line(word: str, what: str) -> None:
    """What, and what to do."""
    with pytest.raises(UserError, match=what) as refused:
        parse_settings([word], SERVERS)
    assert refused.value.remedy


def test_a_choice_on_top_changes_only_what_it_names() -> None:
    """A node's own choice wins over that of all nodes, until it is taken back."""
    first = ServerSettings(by_scope={"nodes": {"key_buffer_size": "1G"}})
    second = first.changed({"node2": {"key_buffer_size": "2G"}, "czar": {"flush": "ON"}})
    assert [second.of_server(name) for name in SERVERS] == [
        {"flush": "ON"},
        {},
        {"key_buffer_size": "1G"},
        {"key_buffer_size": "2G"},
    ]
    assert second.changed({"node2": {"key_buffer_size": "default"}, "czar": {"flush": "DEFAULT"}}) == first
    assert second.words() == ["key_buffer_size=1G", "node2:key_buffer_size=2G", "czar:flush=ON"]


@pytest.mark.parametrize(
    ("value", "size"), [("0", 0), ("3k", 3 << 10), ("2T", 2 << 40), ("1.5G", None), ("-1", None), ("1GB", None)]
)
def test_sizes_are_those_of_mariadb(value: str, size: int | None) -> None:
    """Whole numbers with K, M, G or T."""
    assert byte_count(value) == size
