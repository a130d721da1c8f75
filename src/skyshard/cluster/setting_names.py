"""Which settings of a server a user may choose: families that decide speed, and no others. No I/O.

What is refused has its reason here. An allow-list holds what no reason names: a later MariaDB may bring settings that
would open the cluster. The patterns are compiled when a name is first asked about: most commands ask about none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from skyshard.basics.errors import UserError
from skyshard.basics.near_names import did_you_mean, near_names

_CHOOSABLE = (
    r"innodb_.*|rocksdb_.*|myisam_.*|aria_.*|key_(buffer|cache)_.*|preload_buffer_size|bulk_insert_buffer_size"
    r"|(sort|join|read|read_rnd|mrr|net|rowid_merge)_buff(er)?_(size|length)|join_buffer_space_limit"
    r"|join_cache_level|optimizer_.*|histogram_.*|use_stat_tables|eq_range_index_dive_limit|max_seeks_for_key"
    r"|expensive_subquery_limit|in_predicate_conversion_threshold|max_rowid_filter_size|max_length_for_sort_data"
    r"|analyze_(max_length|sample_percentage)|metadata_locks_.*|stored_program_cache|progress_report_time"
    r"|table_(open_cache|open_cache_instances|definition_cache)|thread_stack"
    r"|tmp_memory_table_size|tmp_disk_table_size|max_heap_table_size|max_session_mem_used"
    r"|query_(cache|alloc|prealloc)_.*|range_alloc_block_size|transaction_(alloc|prealloc)_.*"
    r"|concurrent_insert|delay_key_write|low_priority_updates|max_write_lock_count|flush|flush_time|sync_frm"
    r"|large_pages|memlock|keep_files_on_create|performance_schema(_.*)?|userstat"
    r"|slow_query_log|long_query_time|log_slow_.*|min_examined_row_limit"
    r"|back_log|max_connections|open_files_limit|max_delayed_threads|column_compression_.*"
)

_REFUSED = {
    "it would open the cluster": r"port|extra_port|bind_address|socket|skip_.*|ssl.*|tls.*|require_secure_transport"
    r"|local_infile|secure_file_priv|secure_auth|old_passwords|init_(connect|file|slave)|plugin_.*|proxy_.*|feedback.*"
    r"|wsrep_.*|report_.*|allow_suspicious_udfs|safe_user_create|event_scheduler|innodb_monitor_.*|chroot|user",
    "Skyshard says where files are": r".*((?<!sync_log)_dir|_home_dir|_directory|tmpdir|_file_path|_path|_filename"
    r"|_file)|datadir|basedir|innodb_status_file|character_sets_dir|innodb_temp_data_file_path",
    "it would change what SQL means": r"sql_.*|character_set.*|collation.*|lower_case_.*|time_zone|default_.*|old.*"
    r"|lc_.*|autocommit|auto_increment_.*|div_precision_increment|group_concat_max_len|transaction_isolation"
    r"|tx_.*|ft_.*|innodb_ft_.*|innodb_strict_mode|innodb_force_.*|innodb_snapshot_isolation|explicit_defaults.*"
    r"|big_tables|enforce_storage_engine|mysql56_.*|standard_compliant_cte|updatable_views_with_limit|.*read_only.*",
    "Skyshard needs its own value": r"myisam_recover_options|aria_recover_options|myisam_block_size|max_allowed_packet"
    r"|myisam_data_pointer_size|thread_(handling|pool_.*|cache_size)|.*encrypt.*|general_log|log_.*|.*bin_?log.*"
    r"|gtid_.*|slave_.*|relay_.*|replicate_.*|server_id|rpl_.*|core_file|debug.*|stack_trace|symbolic_links"
    r"|innodb_.*_(now|abort)|rocksdb_(override_cf_options|manual_wal_flush|pause_background_work)|console"
    r"|innodb_(undo_log_truncate|immediate_scrub.*|fast_shutdown)|interactive_timeout|wait_timeout|lock_wait_timeout",
}
_LOG_SLOW = r"log_slow_(?!query_file).*"
_SHOWN_ONLY = (
    r"have_.*|version.*|hostname|license|protocol_version|system_time_zone|innodb_version|large_page_size"
    r"|large_files_support|locked_in_memory|error_count|warning_count|identity|insert_id|last_.*|rand_seed\d"
    r"|in_transaction|pseudo_.*|server_uid|proxy_user|external_user|timestamp|aria_used_for_temp_tables|unique_checks"
    r"|foreign_key_checks|profiling"
)
ALIASES = {
    "tmp_table_size": "tmp_memory_table_size",
    "log_slow_query": "slow_query_log",
    "log_slow_query_time": "long_query_time",
    "log_slow_min_examined_row_limit": "min_examined_row_limit",
}
"""Two names of one setting: name → the one that is kept."""
_NEAR_MATCHES = 3
_LIKENESS = 0.7
REMEDY = "docs/reference/cluster.md says which settings may be chosen"


class SettingError(UserError):
    """A setting that cannot be chosen, by its name and whom it is for, so that a file can say the line."""

    def __init__(self, what: str, *, remedy: str, name: str, scope: str = "") -> None:
        self.name = name
        self.scope = scope
        super().__init__(what, remedy=remedy)


def plain_name(name: str) -> str:
    """The name of a setting as Skyshard keeps it.

    >>> plain_name("Key-Buffer-Size"), plain_name("tmp_table_size")
    ('key_buffer_size', 'tmp_memory_table_size')
    """
    found = name.lower().replace("-", "_")
    return ALIASES.get(found, found)


def require_choosable(name: str) -> None:
    """SettingError for a setting that is not the user's to choose, with the reason; unknown names pass.

    >>> require_choosable("key_buffer_size")
    """
    if reason := _reason_against(name):
        raise SettingError(f"setting '{name}' {reason}", remedy=REMEDY, name=name)


def is_choosable(name: str) -> bool:
    """Whether a setting may be chosen, if the server has it."""
    return re.fullmatch(_CHOOSABLE, name) is not None and not _reason_against(name)


def _reason_against(name: str) -> str:
    if re.fullmatch(_SHOWN_ONLY, name):
        return "is read-only: MariaDB only shows it"
    if re.fullmatch(_LOG_SLOW, name):
        return ""
    refused = (reason for reason, names in _REFUSED.items() if re.fullmatch(names, name))
    return next((f"cannot be chosen: {reason}" for reason in refused), "")


def require_known(name: str, known: Iterable[str], version: str) -> None:
    """SettingError for a name that this server has not, with the names that are like it, or that is none of ours."""
    names = frozenset(known)
    if name in names and is_choosable(name):
        return
    if name in names:
        raise SettingError(
            f"setting '{name}' cannot be chosen: it is not one that decides speed", remedy=REMEDY, name=name
        )
    like = near_names(name, [one for one in names if is_choosable(one)], _NEAR_MATCHES, _LIKENESS)
    raise SettingError(
        f"setting '{name}' is unknown to MariaDB {version}", remedy=did_you_mean(sorted(like), REMEDY), name=name
    )
