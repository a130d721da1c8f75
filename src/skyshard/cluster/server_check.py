"""One server asked over SQL what can be known of it from here: reached, TLS, version, clock, accounts. No file is read.

Rules: every question has an end, so that a host that is gone takes seconds; what is wrong comes back as sentences, one
for each thing, with the remedy.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from skyshard.basics.errors import SkyshardError, words_of
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.file_refusals import FACTS, why_not_shown
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_name
from skyshard.db.lock_names import key_of

REACH_S = 3.0
"""How long a server may take to be reached, and for each answer."""
CLOCK_S = 60.0
"""A clock that is off by more is remarked."""
CERTIFICATE_DAYS = 14.0
"""A certificate that ends earlier is remarked."""
_FACTS = (
    "SELECT VERSION(), @@hostname, @@datadir, UNIX_TIMESTAMP(NOW(6)), VARIABLE_NAME, VARIABLE_VALUE"
    " FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME IN ('SSL_VERSION', 'SSL_SERVER_NOT_AFTER', 'UPTIME')"
)
_CERTIFICATE_TIME = "%b %d %H:%M:%S %Y %Z"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server said."""

    reached_ms: float
    """From asking to the first answer: session, TLS and account."""
    version: str
    """``10.11.19``."""
    host: str
    """As the server's host calls itself."""
    data_dir: str
    key: str
    """Of its data folder: two servers with one key have one folder, or one is a copy of the other's."""
    clock_offset_s: float
    """How far its clock is ahead of this host's."""
    uptime_s: float
    tls: str = ""
    """Version of the protocol; empty for a socket."""
    certificate_days: float | None = None
    """Until the server's certificate ends."""

    @property
    def series(self) -> str:
        """The first two numbers of its version.

        >>> ServerFacts(1.0, "10.11.19", "db1", "/data", "k", 0.0, 9.0).series
        '10.11'
        """
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True, slots=True)
class ServerCheck:
    """A server that was asked; ``facts`` is None where it could not be."""

    facts: ServerFacts | None = None
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    is_silent: bool = False
    """It was not reached in all the time that it had, so that its host may be gone; a refusal comes at once."""


def check_server(endpoint: Endpoint, *, is_here: bool = False) -> ServerCheck:
    """Ask one server; never raises.

    Args:
        is_here: its files are seen from here, so that none of them has to be carried.
    """
    facts: ServerFacts | None = None
    begun = time.monotonic()
    try:
        with _opened(endpoint, Account.ADMIN) as session:
            facts = _facts(session, begun)
            slow = _as_others(endpoint, session, is_here=is_here)
    except SkyshardError as error:
        is_silent = facts is None and time.monotonic() - begun >= REACH_S
        return ServerCheck(facts, faults=(words_of(error),), is_silent=is_silent)
    return ServerCheck(facts, remarks=(*remarks_on(endpoint.name, facts), *filter(None, [slow])))


def remarks_on(name: str, facts: ServerFacts) -> list[str]:
    """What of a server works, but may not for long.

    >>> remarks_on("node1", ServerFacts(1.0, "10.11.19", "db1", "/data", "k", -3600.2, 9.0, "TLSv1.3", 400.0))
    ["node1: its clock is 3600 s behind this host's; set both by NTP"]
    """
    said = []
    if abs(facts.clock_offset_s) > CLOCK_S:
        way = "ahead of" if facts.clock_offset_s > 0 else "behind"
        said.append(f"{name}: its clock is {abs(facts.clock_offset_s):.0f} s {way} this host's; set both by NTP")
    if facts.certificate_days is not None and facts.certificate_days < CERTIFICATE_DAYS:
        said.append(f"{name}: its certificate ends in {facts.certificate_days:.0f} days; renew it")
    return said


def plain_version(text: str) -> str:
    """The numbers of a server's version.

    >>> plain_version("10.11.19-MariaDB-deb12"), plain_version("odd")
    ('10.11.19', 'odd')
    """
    found = re.match(r"\d+(\.\d+)+", text)
    return found[0] if found else text


def days_until(text: str, now: datetime) -> float | None:
    """Days until a certificate ends, as a server says it; None for other words.

    >>> days_until("Dec  8 12:00:00 2026 GMT", datetime(2026, 12, 1, 12, tzinfo=UTC)), days_until("", datetime.now(UTC))
    (7.0, None)
    """
    try:
        end = datetime.strptime(" ".join(text.split()), _CERTIFICATE_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return (end - now).total_seconds() / 86_400


def _facts(admin: Connection, begun: float) -> ServerFacts:
    asked = time.time()
    rows = admin.rows(_FACTS)
    reached_ms, heard = (time.monotonic() - begun) * 1000, time.time()
    version, host, data_dir, clock_s = rows[0][:4]
    status = {str(row[4]): str(row[5]) for row in rows}
    tls = status.get("SSL_VERSION", "")
    return ServerFacts(
        reached_ms=reached_ms,
        version=plain_version(str(version)),
        host=str(host),
        data_dir=str(data_dir),
        key=key_of(admin),
        clock_offset_s=float(clock_s) - (asked + heard) / 2,
        uptime_s=float(status.get("UPTIME", 0)),
        tls=tls,
        certificate_days=days_until(status.get("SSL_SERVER_NOT_AFTER", ""), datetime.now(UTC)) if tls else None,
    )


def _as_others(endpoint: Endpoint, session: Connection, *, is_here: bool) -> str:
    """Ask as the other accounts that work from here; why rows are not carried, empty where they are or need not be."""
    if not endpoint.secrets:
        with _opened(endpoint, Account.READER):
            return ""
    session.become(Account.READER)
    return "" if is_here else _why_not_carried(endpoint, session)


def _why_not_carried(endpoint: Endpoint, session: Connection) -> str:
    """Why rows of scratch tables do not leave the server as files do; empty where they do.

    Args:
        session: the reader's; one session is all accounts in turn, for opening one is most of what a check costs.
    """
    table = f"{quote_name(SCRATCH_DATABASE)}.{quote_name(name := f'check_{secrets.token_hex(8)}')}"
    drop = f"DROP TABLE IF EXISTS {table}"
    session.execute(f"CREATE TABLE {table} ENGINE=MyISAM CHARSET=latin1 SELECT %s AS word", [name])
    try:
        session.become(Account.CARRIER)
        sql = f"SELECT LOAD_FILE(CONCAT(@@datadir, %s)), {FACTS}"
        [(found, *facts)] = session.rows(sql, [f"{SCRATCH_DATABASE}/{name}.MYD"])
        session.become(Account.READER)
        session.execute(drop)
    except SkyshardError:
        with _opened(endpoint, Account.READER) as reader:
            reader.execute(drop)
        raise
    if found is not None and name.encode() in found:
        return ""
    return f"{endpoint.name}: large results come as text, a hundred times slower: {why_not_shown(*facts)}"


def _opened(endpoint: Endpoint, account: Account) -> Connection:
    return connect(endpoint, account, connect_timeout_s=REACH_S, answer_timeout_s=REACH_S)
