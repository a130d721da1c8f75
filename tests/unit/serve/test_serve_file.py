"""Settings of the doors."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.serve.door import Address
from skyshard.serve.serve_file import ServeFile, read_serve_file


def test_options_win_over_the_file(tmp_path: Path) -> None:
    """Where an option says nothing, the file does; its paths are relative to it."""
    path = tmp_path / "serve.yaml"
    path.write_text("http: 127.0.0.1:1\nmysql: 127.0.0.1:2\ncertificate: c.pem\nkey: k.pem\n")
    found = read_serve_file(path).with_options({"http": "127.0.0.1:3", "mysql": "", "open": True}).checked()
    assert found.addresses == {"http": Address("127.0.0.1", 3), "mysql": Address("127.0.0.1", 2)}
    assert found.certificate == tmp_path / "c.pem"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("htp: 127.0.0.1:1", r"line 1, key 'htp': there is no such key; did you mean 'http'\?"),
        ("version: 2", "install a newer release"),
        ("http: 127.0.0.1", r"key 'http': '127.0.0.1' is no address; write HOST:PORT"),
        ("drain_s: -1", "line 1, key 'drain_s'"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    """File, line, key, remedy."""
    path = tmp_path / "serve.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        read_serve_file(path)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "no door is open"),
        ({"http": "0.0.0.0:80"}, "is not a loopback address: .* give --certificate and --key"),
        (
            {"http": "sky.example:80", "certificate": Path("c"), "key": Path("k"), "open": True},
            "would let all in",
        ),
        ({"http": "127.0.0.1:0", "mysql": "10.0.0.1:3306", "open": True}, r"at 10\.0\.0\.1:3306 \(mysql\)"),
        ({"http": "127.0.0.1:0", "key": Path("k")}, "a certificate needs its key"),
        ({"http": "127.0.0.1"}, "is no address"),
    ],
)
def test_unsafe_doors_are_refused(given: dict[str, object], words: str) -> None:
    """Nobody listens to others without TLS, nor without tokens."""
    with pytest.raises(UserError, match=words):
        ServeFile().with_options(given).checked()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_addresses_need_no_certificate(host: str) -> None:
    """They are of this host alone."""
    assert ServeFile(http=str(Address(host, 1)), open=True).checked().addresses["http"].is_loopback
