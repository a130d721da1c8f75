"""``serve.yaml``: which doors are open, and how; options of the command win over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from skyshard.basics.errors import UserError
from skyshard.catalog.strict_files import NamedKeys, broken_rule, read_located
from skyshard.registry.access.quotas import QUOTAS, Quota
from skyshard.serve.door import Address

HTTP, MYSQL, INGEST = "http", "mysql", "ingest"
DOORS = (HTTP, MYSQL, INGEST)
OLDEST_QSERV, NEWEST_QSERV = 12, 55


class UserQuota(NamedKeys):
    """What each user may have whose token says nothing else; 0: no limit."""

    queries: int = Field(default=0, ge=0)
    """Under way at a time, submitted ones that have not ended among them."""
    rows: int = Field(default=0, ge=0)
    """Of an answer."""
    answer_mb: float = Field(default=0.0, ge=0)
    """Of an answer, as its rows are in memory, in megabytes."""
    results: int = Field(default=0, ge=0)
    """Of submitted queries and jobs, kept or still to come."""
    upload_mb: float = Field(default=0.0, ge=0)
    """Of what comes with a query of TAP or as a table of Qserv's REST, in megabytes."""

    def as_quota(self) -> Quota:
        return Quota(**self.model_dump())


class ServeFile(NamedKeys):
    """What ``skyshard serve`` does."""

    version: Literal[1] = 1
    http: str = ""
    """HOST:PORT of the czar's REST, TAP, metrics; empty: closed."""
    mysql: str = ""
    """HOST:PORT of the MySQL protocol; empty: closed."""
    ingest: str = ""
    """HOST:PORT of the ingest REST; empty: closed."""
    open: bool = False
    """No tokens are asked for; only on loopback addresses."""
    certificate: Path | None = None
    """PEM file; needed off loopback."""
    key: Path | None = None
    """PEM file of the certificate's key, without a password."""
    hosts: tuple[str, ...] = ()
    """Names by which clients may call this host, beside its loopback names and the addresses of its doors."""
    drain_s: float = Field(default=10.0, ge=0)
    """Seconds that answers under way have when the process is told to end."""
    interactive_threads: int = Field(default=16, ge=1, le=1000)
    """So many look-ups are answered at a time."""
    scan_threads: int = Field(default=8, ge=1, le=1000)
    """So many scans are answered at a time; others wait."""
    body_mb: float = Field(default=64.0, gt=0)
    """The largest body of a request that brings no rows, in megabytes."""
    upload_mb: float = Field(default=2048.0, gt=0)
    """The largest table that a client may bring, in megabytes."""
    quota: UserQuota = UserQuota()
    """Of each user."""
    tap_rows: int = Field(default=1_000_000, ge=1)
    """Rows that TAP gives where a client does not say how many."""
    tap_most_rows: int = Field(default=100_000_000, ge=1)
    """Rows that TAP gives at most."""
    tap_upload_rows: int = Field(default=100_000, ge=1)
    """Rows of a table that a query of TAP may bring."""
    tap_upload_mb: float = Field(default=32.0, gt=0)
    """The largest request of TAP, with the tables that it brings, and the largest table at a URL, in megabytes."""
    tap_upload_hosts: tuple[str, ...] = ()
    """Hosts within the operator's own network from which TAP may fetch tables; those of the Internet always may be."""
    tap_duration_s: int = Field(default=0, ge=0)
    """Seconds for which a job of TAP may run; 0: as long as it takes."""
    ingest_folders: tuple[Path, ...] = ()
    """Folders from which clients may have files of this host ingested."""
    ingest_hosts: tuple[str, ...] = ()
    """Hosts, maybe with a port, from which clients may have files ingested. With ``open``, and neither: from all."""
    qserv_version: int = Field(default=NEWEST_QSERV, ge=OLDEST_QSERV, le=NEWEST_QSERV)
    """What Qserv's clients are told as the version of its REST interface; requests of 12 to 55 are answered."""

    @field_validator("http", "mysql", "ingest")
    @classmethod
    def _is_an_address(cls, text: str) -> str:
        if text:
            try:
                Address.of(text)
            except UserError as error:
                raise broken_rule(error.what, (), error.remedy) from None
        return text

    def with_options(self, given: Mapping[str, Any]) -> ServeFile:
        """The same with what options say, where they say anything.

        Raises:
            UserError: what an option says is no address.
        """
        said = {name: value for name, value in given.items() if value}
        for name in DOORS:
            if name in said:
                Address.of(said[name])
        return self.model_copy(update=said)

    def with_quota(self, words: Iterable[str]) -> ServeFile:
        """The same with what options say of the quota. UserError: a word is none."""
        wanted = Quota.of(words).over(self.quota.as_quota())
        return self.model_copy(update={"quota": UserQuota(**{name: getattr(wanted, name) for name in QUOTAS})})

    def address(self, door: str) -> Address | None:
        """Where one of ``DOORS`` listens; None: it is closed."""
        text = {HTTP: self.http, MYSQL: self.mysql, INGEST: self.ingest}[door]
        return Address.of(text) if text else None

    @property
    def addresses(self) -> dict[str, Address]:
        return {door: address for door in DOORS if (address := self.address(door)) is not None}

    def checked(self) -> ServeFile:
        """Itself.

        Raises:
            UserError: no door is open, or one is open to others without a certificate or without tokens.
        """
        if not self.addresses:
            raise UserError("no door is open", remedy="give --http, --mysql or --ingest HOST:PORT, or a file that does")
        if (self.certificate is None) != (self.key is None):
            raise UserError("a certificate needs its key, and a key its certificate", remedy="give both")
        for door, address in self.addresses.items():
            if address.is_loopback:
                continue
            if self.open:
                what = f"--open would let all in at {address} ({door})"
                raise UserError(what, remedy="make tokens (skyshard token create), or listen on 127.0.0.1")
            if self.certificate is None:
                what = f"{address} ({door}) is not a loopback address: tokens would be sent unencrypted"
                raise UserError(what, remedy="give --certificate and --key, or listen on 127.0.0.1")
        return self


def read_serve_file(path: Path) -> ServeFile:
    """Read ``serve.yaml``; paths in it are relative to it.

    Raises:
        UserError: file, line, key, remedy.
    """
    found = read_located(ServeFile, path)
    placed = {name: path.parent / given for name in ("certificate", "key") if (given := getattr(found, name))}
    return found.model_copy(update=placed)
