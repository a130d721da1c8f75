"""`k8s/secrets.sh` makes what the pods mount: passwords, the token, and certificates that hold for the nodes' names."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.support.manifests import K8S, OVERLAYS, SECRETS, cluster_file

from skyshard.catalog.cluster_file import read_named_file
from skyshard.db.password_files import password_of

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
Secrets = dict[str, dict[str, str]]


def made(folder: Path) -> Secrets:
    """What the script prints, by name; it leaves nothing in the folder for temporary files."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(["sh", str(K8S / "secrets.sh")], env=environment, capture_output=True, text=True, check=True)
    assert not list(folder.iterdir())
    objects = list(yaml.safe_load_all(done.stdout))
    assert {(one["apiVersion"], one["kind"], one["metadata"]["namespace"]) for one in objects} == {
        ("v1", "Secret", "skyshard")
    }
    return {one["metadata"]["name"]: one["stringData"] for one in objects}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    return made(tmp_path_factory.mktemp("secrets"))


def test_all_secrets_are_made_and_none_twice(secrets: Secrets, tmp_path: Path) -> None:
    """Names and keys are those that pods mount; another run makes others, and no two words are alike."""
    assert {name: set(content) for name, content in secrets.items()} == SECRETS
    again = made(tmp_path)
    words = [one[name][key] for one in (secrets, again) for name in SECRETS for key in SECRETS[name]]
    assert len(set(words)) == len(words)


def test_passwords_are_taken_as_they_are(secrets: Secrets, tmp_path: Path) -> None:
    """Each is a password file's content, and long enough to be worth it."""
    for duty, word in secrets["skyshard-passwords"].items():
        file = tmp_path / duty
        file.write_text(word)
        file.chmod(0o600)
        assert password_of(str(tmp_path), duty) == word
        assert len(word) >= 32


def verified(folder: Path, host: str) -> bool:
    """Whether the certificate is a server's of that name, by the authority, at the strictest."""
    words = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host]
    done = subprocess.run(
        [*words, "-CAfile", str(folder / "ca.crt"), str(folder / "tls.crt")], capture_output=True, check=False
    )
    return done.returncode == 0


def test_the_certificate_holds_for_the_nodes_and_for_nobody_else(secrets: Secrets, tmp_path: Path) -> None:
    """Names of nodes as each overlay's cluster file has them; the authority's key is not given away."""
    for name, text in secrets["skyshard-tls"].items():
        (tmp_path / name).write_text(text)
    for overlay in OVERLAYS:
        description = read_named_file(cluster_file(overlay))
        assert verified(tmp_path, description.nodes[-1].host)
    assert not verified(tmp_path, "skyshard-node-0.other.skyshard.svc")
    keys = [text.count("PRIVATE KEY-----") for text in secrets["skyshard-tls"].values()]
    assert sorted(keys) == [0, 0, 2]
