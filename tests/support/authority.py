"""A certificate authority for tests, made with the command openssl: good certificates, expired ones, and strangers'.

authority = Authority(folder / "authority")
tls = authority.issue(node1.folder / "tls", "node1", node1.address)      # Tls(ca, cert, key), the key's mode 0600
stale = authority.issue(elsewhere, "node1", days_ago=9)                  # was good for a day, nine days ago
"""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.host_faults import need

from skyshard.db.tls import Tls

_CONFIG = """
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj")


class Authority:
    """A folder with the authority's certificate ``ca.crt``, its key, and what it has issued."""

    def __init__(self, folder: Path, name: str = "tests") -> None:
        need("openssl", "openssl")
        folder.mkdir(parents=True)
        (folder / "ca.conf").write_text(_CONFIG)
        (folder / "index.txt").touch()
        self._folder = folder
        self.certificate = folder / "ca.crt"
        self._openssl("req", "-x509", *_NEW_KEY, f"/CN={name}", "-days", "30", "-keyout", "ca.key", "-out", "ca.crt")

    def issue(self, folder: Path, *names: str, days_ago: int = 0) -> Tls:
        """Put ``ca.crt``, ``tls.crt`` and ``tls.key`` into a folder, for a host of these names and addresses.

        Args:
            days_ago: 0 is good for 30 days; else it was good for one day, which began so many days ago.
        """
        folder.mkdir(parents=True, exist_ok=True)
        key, request, certificate = folder / "tls.key", folder / "tls.csr", folder / "tls.crt"
        listed = "subjectAltName=" + ",".join(_alternative(name) for name in names)
        self._openssl("req", *_NEW_KEY, f"/CN={names[0]}", "-addext", listed, "-keyout", str(key), "-out", str(request))
        begin = datetime.now(UTC) - timedelta(days=days_ago, minutes=5)
        end = begin + timedelta(days=1 if days_ago else 30)
        dates = ["-startdate", f"{begin:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}"]
        signed = ["-batch", "-notext", "-config", "ca.conf", "-cert", "ca.crt", "-keyfile", "ca.key", *dates]
        self._openssl("ca", *signed, "-in", str(request), "-out", str(certificate))
        request.unlink()
        key.chmod(0o600)
        shutil.copyfile(self.certificate, folder / "ca.crt")
        return Tls(ca=str(folder / "ca.crt"), cert=str(certificate), key=str(key))

    def _openssl(self, *arguments: str) -> None:
        found = subprocess.run(["openssl", *arguments], cwd=self._folder, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr


def _alternative(name: str) -> str:
    """How a certificate lists a name.

    >>> _alternative("node1.example"), _alternative("10.99.7.11")
    ('DNS:node1.example', 'IP:10.99.7.11')
    """
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"
