"""Makes one running server follow its settings: at once where MariaDB allows, else it says what needs a restart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import is_number
from skyshard.cluster.server import Server
from skyshard.cluster.setting_names import SettingError
from skyshard.cluster.settings import byte_count
from skyshard.db.connection import Account, Connection, connect, quote_name, quote_text
from skyshard.db.server_errors import server_words

SIZED_AT_START = frozenset(
    {"host_cache_size", "innodb_io_capacity_max", "innodb_lru_flush_size", "innodb_open_files", "back_log"}
)
"""Settings whose default the server works out while it starts: SET ... = DEFAULT gives another value."""
_BY_USER = ("COMMAND-LINE", "SQL")
_ON = {"1", "on", "true", "yes"}
_OFF = {"0", "off", "false", "no"}


@dataclass(frozen=True, slots=True)
class InForce:
    """A variable of a running server."""

    value: str
    is_fixed: bool
    """Only a start can change it."""
    is_chosen: bool
    """It was given at the start, or set since."""
    words: tuple[str, ...]
    """What numbers from 0 on stand for, where the values are words."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """A setting that a server does not follow: ``found`` is in force, empty where it has no such variable."""

    server: str
    name: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"{self.server}: {self.name} is {self.found or 'unknown'}, not {self.wanted}"


@dataclass(frozen=True, slots=True)
class Applied:
    """Names that a server follows at once, and those that it follows from its next start on."""

    at_once: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


def apply_settings(server: Server, names: Collection[str]) -> Applied:
    """Make a running server follow these of its settings, or its own options where none is chosen; open sessions keep
    what they have.

    What is in force already is left alone.

    Raises:
        SettingError: the server refuses a value that its options took; nothing after it was applied.
    """
    at_once, waiting = [], []
    with connect(server.endpoint, Account.ADMIN) as connection:
        found = _read(connection, names)
        connection.execute("SET SESSION sql_mode = ''")  # a value is changed rather than refused: to what, is read back
        for name in names:
            wanted = server.settings.get(name, server.own_options.get(name))
            now = found.get(name)
            if now is None or not _has_to_change(wanted, now):
                continue
            if now.is_fixed or (wanted is None and name in SIZED_AT_START):
                waiting.append(name)
            else:
                _set(connection, server.name, name, wanted)
                at_once.append(name)
    return Applied(tuple(at_once), tuple(waiting))


def unlike_settings(server: Server, names: Iterable[str] | None = None) -> list[Unlike]:
    """The chosen settings of a running server that it does not follow, of these names or of all."""
    wanted = {name: value for name, value in server.settings.items() if names is None or name in names}
    if not wanted:
        return []
    with connect(server.endpoint, Account.ADMIN) as connection:
        return unlike(connection, server.name, wanted)


def unlike(connection: Connection, server: str, wanted: Mapping[str, str]) -> list[Unlike]:
    """Those of the settings, by name, that a server does not follow."""
    found = _read(connection, wanted)
    differ = []
    for name, value in wanted.items():
        now = found.get(name)
        if now is None or not is_same(value, now.value, now.words):
            differ.append(Unlike(server, name, value, now.value if now else ""))
    return differ


def values_in_force(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """Variables of a running server by name."""
    return {name: now.value for name, now in _read(connection, names).items()}


def _has_to_change(wanted: str | None, now: InForce) -> bool:
    return now.is_chosen if wanted is None else not is_same(wanted, now.value, now.words)


def _read(connection: Connection, names: Iterable[str]) -> dict[str, InForce]:
    listed = ", ".join(quote_text(name) for name in names)
    if not listed:
        return {}
    rows = connection.rows(
        "SELECT LOWER(VARIABLE_NAME), GLOBAL_VALUE, READ_ONLY, VARIABLE_SCOPE, GLOBAL_VALUE_ORIGIN, ENUM_VALUE_LIST"
        f" FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME IN ({listed})"
    )
    return {
        str(name): InForce(
            str(value),
            fixed == "YES" or scope == "SESSION ONLY",
            origin in _BY_USER,
            tuple(str(words).split(",")) if words else (),
        )
        for name, value, fixed, scope, origin, words in rows
    }


def _set(connection: Connection, server: str, name: str, value: str | None) -> None:
    written = "DEFAULT" if value is None else _literal(value)
    try:
        connection.execute(f"SET GLOBAL {quote_name(name)} = {written}")
    except UserError as error:
        raise SettingError(
            f"setting '{name}={value or 'default'}': {server} refuses it: {server_words(error)}",
            remedy="write a value that it takes",
            name=name,
        ) from None


def _literal(value: str) -> str:
    """A value as SET takes it: sizes as bytes, numbers as they are, all else as text."""
    size = byte_count(value)
    if size is not None:
        return str(size)
    return value if is_number(value) else quote_text(value)


def is_same(wanted: str, current: str, words: tuple[str, ...] = ()) -> bool:
    """Whether a value as it was chosen is the one in force.

    >>> is_same("1G", "1073741824"), is_same("1", "ON"), is_same("mrr=on", "index_merge=on,mrr=on,mrr_cost_based=off")
    (True, True, True)
    >>> is_same("2", "ALWAYS", ("NEVER", "AUTO", "ALWAYS")), is_same("8M", "4194304")
    (True, False)
    """
    plain, now = wanted.strip().lower(), current.strip().lower()
    if plain == now or {plain, now} <= _ON or {plain, now} <= _OFF:
        return True
    if plain.isdigit() and int(plain) < len(words) and words[int(plain)].lower() == now:
        return True
    size = byte_count(plain)
    if size is not None:
        return is_number(now) and float(now) == size
    if is_number(plain) and is_number(now):
        return float(plain) == float(now)
    chosen, found = set(plain.split(",")), set(now.split(","))
    return chosen <= found if "=" in plain else chosen == found
