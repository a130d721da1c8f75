"""TLS of connections: files that are wrong are said, and so is why a handshake failed."""

import shutil
import ssl
from pathlib import Path

import pytest
from tests.support.authority import Authority

from skyshard.basics.errors import UserError
from skyshard.db.tls import Tls, context_of, said_of_tls


def test_a_missing_file_of_certificates_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"TLS: one of .*nothing\.pem cannot be read: No such file"):
        context_of(Tls(ca=str(tmp_path / "nothing.pem")))


def test_a_file_without_certificates_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing\n")
    with pytest.raises(UserError, match="TLS: one of"):
        context_of(Tls(ca=str(tmp_path / "ca.pem")))


def test_a_handshake_says_why_it_failed() -> None:
    failed = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    failed.verify_message = "certificate has expired"
    outer = OSError("cannot connect")
    outer.__cause__ = failed
    assert said_of_tls(outer) == "certificate has expired"


def test_a_replaced_certificate_is_read_again(tmp_path: Path) -> None:
    """Files that stay as they are are read once."""
    first, second = (Authority(tmp_path / name, name).certificate for name in ("first", "second"))
    tls = Tls(ca=str(tmp_path / "ca.crt"))
    shutil.copy(first, tls.ca)
    before = context_of(tls)
    assert context_of(tls) is before
    shutil.copy(second, tls.ca)
    assert context_of(tls).get_ca_certs() != before.get_ca_certs()
