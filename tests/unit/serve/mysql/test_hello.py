"""Hello and login as the door passes them on."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.serve.mysql.hello import Login, is_ssl_request, masked_hello, own_login
from skyshard.serve.mysql.packets import Capability

HELLO = (
    b"\x0a5.5.5-10.11.19-MariaDB\0" + struct.pack("<I", 4711) + b"12345678\0" + struct.pack("<H", 0xFFFE)
    + b"\x2d\x02\0" + struct.pack("<H", 0x81FF) + b"\x15" + bytes(6) + struct.pack("<I", 0x1D) + b"abcdefghijkl\0"
    + b"mysql_native_password\0"
)  # fmt: skip


def offered(payload: bytes) -> int:
    place = payload.index(b"\0", 1) + 1 + 4 + 9
    low, high = (int.from_bytes(payload[at : at + 2], "little") for at in (place, place + 5))
    return low | high << 16


def test_a_hello_offers_only_what_is_relayed() -> None:
    """No compression, no files, one statement a text, the plain end of results; TLS if the door has it."""
    hello = masked_hello(HELLO, has_tls=False)
    assert hello.thread == 4711
    assert len(hello.payload) == len(HELLO)
    hidden = (
        Capability.COMPRESS | Capability.LOCAL_FILES | Capability.SSL | Capability.MULTI_STATEMENTS
        | Capability.DEPRECATE_EOF | Capability.SESSION_TRACK
    )  # fmt: skip
    assert not offered(hello.payload) & hidden
    assert offered(hello.payload) & Capability.PLUGIN_AUTH
    extended = hello.payload.index(b"abcdefghijkl") - 4
    assert hello.payload[extended : extended + 4] == bytes(4)
    assert offered(masked_hello(HELLO, has_tls=True).payload) & Capability.SSL


@pytest.mark.parametrize("payload", [b"", b"\x0a", b"\x09x\0", HELLO[:20]])
def test_what_is_no_hello_is_told(payload: bytes) -> None:
    """An error packet, for one, or a packet that is cut."""
    with pytest.raises(ValueError, match=r"protocol|short|end"):
        masked_hello(payload, has_tls=False)


NAMES = st.binary(max_size=20).filter(lambda name: b"\0" not in name)


@given(NAMES, st.binary(max_size=30), NAMES, st.booleans())
def test_a_login_is_passed_on_for_the_account_of_clients(
    user: bytes, secret: bytes, database: bytes, is_lenenc: bool
) -> None:
    """With its database and character set, without its secret and without what is not relayed."""
    asked = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH | Capability.CONNECT_WITH_DB
    asked |= Capability.MULTI_STATEMENTS | Capability.LOCAL_FILES | (Capability.LENENC_LOGIN if is_lenenc else 0)
    payload = (
        struct.pack("<IIB", asked, 1 << 24, 8) + bytes(23) + user + b"\0" + bytes([len(secret)]) + secret + database
        + b"\0mysql_native_password\0"
    )  # fmt: skip
    login = Login.read(payload)
    assert (login.user, login.secret, login.database, login.charset) == (user, secret, database, 8)
    passed = Login.read(login.relayed(b"skyshard_door"))
    assert (passed.user, passed.secret, passed.database, passed.charset) == (b"skyshard_door", b"", database, 8)
    assert not passed.capabilities & (Capability.MULTI_STATEMENTS | Capability.LOCAL_FILES)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_login_or_none(payload: bytes) -> None:
    """Nothing but ValueError comes of them."""
    with contextlib.suppress(ValueError):
        Login.read(payload)


def test_a_wish_for_tls_is_told_from_a_login() -> None:
    """By its length and its flag."""
    head = struct.pack("<IIB", Capability.PROTOCOL_41 | Capability.SSL, 1 << 24, 45) + bytes(23)
    assert is_ssl_request(head)
    assert not is_ssl_request(head + b"me\0")
    assert not is_ssl_request(own_login(b"me", 45)[:32])
