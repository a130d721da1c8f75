"""Which settings may be chosen."""

from __future__ import annotations

import pytest

from skyshard.cluster.server_options import PRIVATE, Tuning, server_options
from skyshard.cluster.setting_names import SettingError, is_choosable, require_choosable, require_known

KNOWN = frozenset({"key_buffer_size", "read_buffer_size", "sort_buffer_size", "wild_new_option", "innodb_io_capacity"})


@pytest.mark.parametrize(
    "name",
    [
        "key_buffer_size", "innodb_buffer_pool_size", "innodb_flush_method", "aria_pagecache_buffer_size",
        "innodb_compression_algorithm", "innodb_page_size", "sort_buffer_size", "join_buffer_size", "optimizer_switch",
        "tmp_memory_table_size", "performance_schema", "userstat", "log_slow_verbosity", "slow_query_log",
        "rocksdb_block_cache_size", "max_connections", "table_open_cache", "innodb_file_per_table", "aria_sync_log_dir",
    ],
)  # fmt: skip
def test_what_decides_speed_may_be_chosen(name: str) -> None:
    """Caches, buffers, the optimizer, what engines do with files and logs."""
    require_choosable(name)
    assert is_choosable(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "it would open the cluster") for name in (
            "port", "bind_address", "socket", "skip_networking", "skip_grant_tables", "local_infile", "plugin_load",
            "plugin_load_add", "secure_file_priv", "init_file", "init_connect", "extra_port", "ssl_ca",
            "event_scheduler", "require_secure_transport", "wsrep_provider", "feedback",
        )),
        *((name, "Skyshard says where files are") for name in (
            "datadir", "tmpdir", "innodb_data_home_dir", "innodb_log_group_home_dir", "aria_log_dir_path",
            "innodb_undo_directory", "slow_query_log_file", "general_log_file", "pid_file", "log_slow_query_file",
            "innodb_data_file_path", "innodb_buffer_pool_filename", "lc_messages_dir", "rocksdb_wal_dir",
        )),
        *((name, "it would change what SQL means") for name in (
            "sql_mode", "character_set_server", "collation_server", "lower_case_table_names", "default_time_zone",
            "default_storage_engine", "ft_min_word_len", "innodb_read_only", "innodb_force_recovery",
        )),
        *((name, "Skyshard needs its own value") for name in (
            "myisam_recover_options", "max_allowed_packet", "general_log", "log_error", "log_bin", "thread_handling",
            "aria_encrypt_tables", "innodb_encrypt_tables", "wait_timeout", "innodb_buffer_pool_dump_now",
        )),
        *((name, "is read-only") for name in ("version", "hostname", "have_ssl", "protocol_version", "server_uid")),
    ],
)  # fmt: skip
def test_what_belongs_to_skyshard_is_refused_with_the_reason(name: str, reason: str) -> None:
    """Network, accounts, places of files, the meaning of SQL."""
    assert not is_choosable(name)
    with pytest.raises(SettingError, match=reason) as refused:
        require_choosable(name)
    assert refused.value.name == name


def test_no_option_that_keeps_the_cluster_shut_may_be_chosen() -> None:
    """Of Skyshard's own options only those about memory and sessions can be another."""
    ours = {
        option.partition("=")[0].replace("-", "_") for option in (*PRIVATE, *server_options(Tuning(), open_files=1000))
    }
    kept = {name for name in ours if not is_choosable(name)}
    assert {"skip_networking", "skip_name_resolve", "secure_file_priv", "local_infile", "character_set_server"} <= kept
    assert {"collation_server", "default_time_zone", "lower_case_table_names", "feedback", "thread_cache_size"} <= kept


def test_an_unknown_name_is_refused_with_those_like_it() -> None:
    """And one that MariaDB knows and nobody has thought of is refused, too."""
    with pytest.raises(SettingError, match=r"unknown to MariaDB 10\.11; did you mean 'key_buffer_size' or"):
        require_known("key_bufer_size", KNOWN, "10.11")
    with pytest.raises(SettingError, match="it is not one that decides speed"):
        require_known("wild_new_option", KNOWN, "10.11")
    with pytest.raises(SettingError, match=r"unknown to MariaDB 10\.11; docs/reference/cluster\.md"):
        require_known("nonsense", KNOWN, "10.11")
    require_known("innodb_io_capacity", KNOWN, "10.11")
