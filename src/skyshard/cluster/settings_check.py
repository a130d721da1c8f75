"""Asks the server's own binary whether it takes settings, before any server is started or changed with them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping

from skyshard.basics.plain_numbers import plain_number
from skyshard.cluster.installation import Installation
from skyshard.cluster.setting_names import SettingError, require_choosable, require_known
from skyshard.cluster.settings import byte_count

CHECK_TIMEOUT_S = 120
CACHES = ("key_buffer_size", "innodb_buffer_pool_size", "aria_pagecache_buffer_size")
"""The caches of the engines. They reserve memory, which is taken as it is used."""
MORE_CACHES = (*CACHES, "rocksdb_block_cache_size")
PAGE_SIZES = ("4K", "8K", "16K", "32K", "64K")
_PROBLEM = re.compile(r"\[(?:ERROR|Warning)\] (?:\S*(?:mariadbd|mysqld): )?(?P<words>.*)")
_ADJUSTED = re.compile(r"\badjusted to (?P<value>\S+)|\bSet to (?P<other>\w+)")
_CHANGED_LIMIT = re.compile(r"\b(max_connections|table_cache): (\d+) \(was (\d+)\)")
_LIMIT_NAMES = {"max_connections": "max_connections", "table_cache": "table_open_cache"}
_LIMITS = ("max_connections", "table_open_cache", "open_files_limit")
_HALF_READ = re.compile(r"\+?(?P<size>\d+[KMGTPE]).+", re.IGNORECASE)
"""MariaDB reads a whole number up to its unit, whatever follows: 1e7 is one exbibyte, and 8K7 is 8K."""
_VARIABLE = re.compile(r"[a-z][a-zA-Z0-9-]+ +\S")
_DOCUMENTATION = "see MariaDB's documentation of server system variables"


def check_names(installation: Installation, names: Iterable[str], *, is_node: bool) -> None:
    """SettingError for a name that this server has not, or that is not the user's to choose.

    Args:
        is_node: whether the server is a node's, which has the engines of plugins.
    """
    wanted = tuple(names)
    known = known_names(installation, is_node=is_node) if wanted else frozenset()
    for name in wanted:
        require_choosable(name)
        require_known(name, known, installation.version_text)


def check_values(
    installation: Installation,
    settings: Mapping[str, str],
    own_options: Mapping[str, str],
    memory_bytes: int,
    *,
    is_node: bool,
) -> None:
    """Refuse values that this server would not take, or would change.

    The binary is run with ``--help``, which reads options as a start does and touches no data.

    Args:
        own_options: what Skyshard sets for the server: limits that MariaDB weighs against each other.

    Raises:
        SettingError: the first such setting, and what the server would make of it.
    """
    if not settings:
        return
    _check_sizes(settings, memory_bytes)
    limits = {name: own_options[name] for name in _LIMITS if name in own_options}
    helped, said = _help(installation, {**limits, **settings}, is_node=is_node)
    complaints = [found["words"].strip() for line in said.splitlines() if (found := _PROBLEM.search(line))]
    for words in sorted(complaints, key=lambda words: _ADJUSTED.search(words) is None):
        if error := _complaint(words, settings, installation.version_text):
            raise error
    _refuse_half_read(helped, settings)


def known_names(installation: Installation, *, is_node: bool) -> frozenset[str]:
    """The settings that this server takes when it starts."""
    helped, _ = _help(installation, {}, is_node=is_node)
    names = (line.split()[0] for line in helped.splitlines() if _VARIABLE.match(line))
    return frozenset(name.replace("-", "_") for name in names)


def _refuse_half_read(helped: str, settings: Mapping[str, str]) -> None:
    """SettingError for a number of which the server reads only the beginning; it says itself what it makes of it."""
    read = {
        line.split()[0].replace("-", "_"): line.split()[-1] for line in helped.splitlines() if _VARIABLE.match(line)
    }
    for name, value in settings.items():
        becomes = read.get(name, "")
        if _HALF_READ.fullmatch(value) and becomes.isdigit() and _number(value) != int(becomes):
            raise _half_read(name, value, becomes)


def _half_read(name: str, value: str, becomes: str) -> SettingError:
    error = changed_value(name, value, becomes)
    return SettingError(error.what, remedy="write a number such as 8388608, or one with a unit: 8M", name=name)


def _number(value: str) -> float | None:
    """As a setting of fractions reads it: 1e1 is ten."""
    try:
        return plain_number(value)
    except ValueError:
        return None


def changed_value(name: str, value: str, becomes: str) -> SettingError:
    """The error for a value that MariaDB would replace without a word."""
    return SettingError(
        f"setting '{name}={value}': MariaDB would make it {becomes}", remedy="write a value that it takes", name=name
    )


def _help(installation: Installation, settings: Mapping[str, str], *, is_node: bool) -> tuple[str, str]:
    """What the server says of itself, and what it complains about."""
    plugins = [f"--plugin-dir={installation.plugins}", *(f"--{one}" for one in installation.plugin_options)]
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    places = [f"--basedir={installation.base}", f"--lc-messages-dir={installation.share}"]
    outcome = subprocess.run(
        [
            str(installation.binary),
            "--no-defaults",
            *places,
            *(plugins if is_node else []),
            *options,
            "--verbose",
            "--help",
        ],
        capture_output=True,
        env=installation.environment,
        timeout=CHECK_TIMEOUT_S,
    )
    return outcome.stdout.decode(errors="replace"), outcome.stderr.decode(errors="replace")


def _check_sizes(settings: Mapping[str, str], memory_bytes: int) -> None:
    if settings.get("innodb_page_size", "16K").upper() not in PAGE_SIZES:
        size = settings["innodb_page_size"]
        raise SettingError(
            f"setting 'innodb_page_size={size}': MariaDB has no such page size",
            remedy=f"choose one of {', '.join(PAGE_SIZES)}",
            name="innodb_page_size",
        )
    for name in MORE_CACHES:
        if found := _HALF_READ.fullmatch(settings.get(name, "")):  # before the server takes so much memory to say it
            raise _half_read(name, settings[name], str(byte_count(found["size"])))
        if (byte_count(settings.get(name, "")) or 0) > memory_bytes:
            raise SettingError(
                f"setting '{name}={settings[name]}': this host has {memory_bytes / 2**30:.1f} GiB of memory",
                remedy="choose less",
                name=name,
            )


def _complaint(words: str, settings: Mapping[str, str], version: str) -> SettingError | None:
    """A line of the server's as an error, if it speaks of a setting."""
    for limit, becomes, was in _CHANGED_LIMIT.findall(words):
        blamed = next((name for name in (_LIMIT_NAMES[limit], *_LIMITS) if name in settings), "")
        if becomes != was and blamed:
            what = (
                becomes if blamed == _LIMIT_NAMES[limit] else f"{settings[blamed]}, and {_LIMIT_NAMES[limit]} {becomes}"
            )
            return changed_value(blamed, settings[blamed], what)
    plain = words.replace("-", "_")
    name = next((name for name in settings if re.search(rf"\b{name}\b(?!: \d)", plain)), "")
    if not name:
        return None
    adjusted = _ADJUSTED.search(words)
    if adjusted:
        return changed_value(name, settings[name], adjusted["value"] or adjusted["other"])
    return SettingError(
        f"setting '{name}={settings[name]}': MariaDB {version} says: {words}", remedy=_DOCUMENTATION, name=name
    )
