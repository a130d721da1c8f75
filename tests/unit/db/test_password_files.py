"""Password files: private to their owner, one line, ASCII."""

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.db.password_files import password_of


def write(folder: Path, content: bytes, mode: int = 0o600) -> None:
    (folder / "reader").write_bytes(content)
    (folder / "reader").chmod(mode)


def test_the_line_break_at_the_end_is_not_of_the_password(tmp_path: Path) -> None:
    write(tmp_path, b"a b'c\\d \r\n")
    assert password_of(str(tmp_path), "reader") == "a b'c\\d "


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    write(tmp_path, b"secret", mode)
    with pytest.raises(UserError, match=r"others may read password file .*reader") as caught:
        password_of(str(tmp_path), "reader")
    assert caught.value.remedy == f"chmod 600 {tmp_path / 'reader'}"


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"x" * 513, b"a\0b"])
def test_what_is_no_password_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, content)
    with pytest.raises(UserError, match="holds no password of 1 to 512 characters"):
        password_of(str(tmp_path), "reader")


def test_letters_beyond_ascii_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "pässword".encode())
    with pytest.raises(UserError, match="is not ASCII"):
        password_of(str(tmp_path), "reader")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"password file .*reader: No such file"):
        password_of(str(tmp_path), "reader")


def test_off_this_host_nothing_is_said_without_tls() -> None:
    with pytest.raises(UserError, match=r"node1 \(db1\.example:3306\): no connection off this host without TLS"):
        connect(Endpoint(host="db1.example", port=3306, label="node1"), Account.READER)
