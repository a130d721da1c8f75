"""Addresses of front doors, and the token: read from a file or the environment, shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.targets.door_access import VARIABLE, DoorAccess, door_address
from skyshard.bench.targets.http_sessions import HttpSessions


@pytest.mark.parametrize("spec", ["czar", "mono", "mysql+pymysql://me@host/db", "duckdb:sky", "tap", "sqlite:///x"])
def test_other_targets_are_no_doors(spec: str) -> None:
    """They are opened otherwise."""
    assert door_address(spec) is None


@pytest.mark.parametrize(
    ("spec", "port", "path"),
    [
        ("mysql://127.0.0.1:4040/tiny", 4040, "tiny"),
        ("mysql://sky/tiny", 4040, "tiny"),
        ("tap:https://sky.example.org/tap/", 443, "tap"),
        ("qserv:http://[::1]:8042", 8042, ""),
    ],
)
def test_an_address_says_where_a_door_is(spec: str, port: int, path: str) -> None:
    """With the usual port where it names none."""
    found = door_address(spec)
    assert found is not None
    assert (found.port, found.path) == (port, path)


@pytest.mark.parametrize(
    "spec", ["tap:ftp://sky/tap", "qserv:sky:80", "mysql://sky:99999999/db", "tap:http://", "tap:http://s/t?x=1"]
)
def test_a_wrong_address_is_refused(spec: str) -> None:
    """As the user's error, with the forms that there are."""
    with pytest.raises(UserError, match="write mysql://HOST:PORT/DATABASE"):
        door_address(spec)


@pytest.mark.parametrize("spec", ["mysql://me:secret@sky/db", "tap:https://:secret@sky/tap"])
def test_a_password_in_an_address_is_refused_and_not_repeated(spec: str) -> None:
    """Whoever lists processes reads a command's arguments."""
    with pytest.raises(UserError, match="--token-file") as caught:
        door_address(spec)
    assert "secret" not in str(caught.value)


def test_the_file_of_a_token_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the break at the end of its line; no file and no variable are no token."""
    monkeypatch.delenv(VARIABLE, raising=False)
    assert DoorAccess().token() == ""
    monkeypatch.setenv(VARIABLE, "one\n")
    assert DoorAccess().token() == "one"
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("two\n")
    assert DoorAccess(file).token() == "two"
    assert "two" not in repr(DoorAccess(file))


@pytest.mark.parametrize(
    ("content", "mode", "fault"),
    [
        (None, 0, "No such file"),
        (b"\n", 0o600, "holds no token"),
        (b"\xff\xfe", 0o600, "is not ASCII"),
        (b"two\n", 0o644, "others may read token file"),
    ],
)
def test_a_file_without_a_token_or_open_to_others_is_refused(
    tmp_path: Path, content: bytes | None, mode: int, fault: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
        file.chmod(mode)
    with pytest.raises(UserError, match=fault):
        DoorAccess(file).token()


def test_a_token_does_not_leave_the_host_unsafely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain HTTP to another host is refused before anything is sent."""
    monkeypatch.setenv(VARIABLE, "secret")
    address = door_address("tap:http://sky.example.org/tap")
    assert address is not None
    with pytest.raises(UserError, match="https://") as caught:
        HttpSessions(address, DoorAccess())
    assert "secret" not in str(caught.value)


def test_a_file_that_holds_no_certificates_is_refused(tmp_path: Path) -> None:
    """Before a connection is tried."""
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(UserError, match="PEM"):
        DoorAccess(authority=tmp_path / "ca.pem").tls()
