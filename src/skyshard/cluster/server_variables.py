"""The variables of a running server that are not as MariaDB is built: what two trials can differ in."""

from __future__ import annotations

import re

from skyshard.db.connection import Account, Endpoint, connect

VOLATILE = re.compile(
    r"pid_file|socket|hostname|port|datadir|tmpdir|basedir|plugin_dir|lc_messages_dir|character_sets_dir"
    r"|slave_load_tmpdir|general_log_file|slow_query_log_file|log_slow_query_file|log_error|log_basename"
    r"|server_id|server_uid|timestamp|gtid_.*|report_(host|port|user)|relay_log.*|log_bin(_basename|_index)?"
    r"|version(_.*)?|license|have_.*|protocol_version|system_time_zone|large_files_support|lower_case_file_system"
    r"|locked_in_memory|innodb_version|innodb_buffer_pool_(dump|load)_now"
)
"""Left out by name: where a server is and what it is called, its version (kept apart), and what MariaDB only shows."""


def changed_variables(endpoint: Endpoint) -> tuple[str, dict[str, tuple[str, str]]]:
    """The version of a running server, and its global variables that differ from the built-in defaults.

    Returns:
        The version, and name → (value, default), in the order of names; a default is empty where the server has none.

    Raises:
        ClusterError: the server does not answer.
    """
    with connect(endpoint, Account.READER) as connection:
        version = str(connection.value("SELECT @@version"))
        rows = connection.rows(
            "SELECT LOWER(VARIABLE_NAME) AS name, GLOBAL_VALUE, DEFAULT_VALUE FROM information_schema.SYSTEM_VARIABLES"
            " WHERE GLOBAL_VALUE IS NOT NULL AND NOT GLOBAL_VALUE <=> DEFAULT_VALUE ORDER BY name"
        )
    return version, {
        str(name): (str(value), "" if default is None else str(default))
        for name, value, default in rows
        if not VOLATILE.fullmatch(str(name))
    }
