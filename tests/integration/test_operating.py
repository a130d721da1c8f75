"""The guide to a cluster on many machines, followed on three hosts from nothing: its own commands, file and script."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.support.documented import ROOT, blocks
from tests.support.host_faults import need, small_disk
from tests.support.hosts import COMMAND, Host, Lab, Running
from tests.support.running_site import BETWEEN_COMMANDS_S, is_ray_up, wait_until

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(900)]
HOSTS = ("czar", "db1", "db2")
EXAMPLES = ROOT / "docs" / "examples" / "hosts"
SHOWN = [block for block in blocks(ROOT / "docs" / "how-to" / "operating.md") if block.commands]
ON_CZAR = [command for block in SHOWN if block.why_not.startswith("on czar,") for command in block.commands]
SMALLER = {
    "skyshard ingest": " --fraction 0.05",
    "skyshard bench run": " --leave-out FTSFSrc,joinObjSrc,joinObjFSrc,nearN,FTSSrc --no-page",
}
START_TIMEOUT_S = 300.0


@dataclass
class Site:
    """The hosts, and what was started on them."""

    lab: Lab
    running: list[Running]

    @property
    def czar(self) -> Host:
        return self.lab["czar"]

    def placed(self, text: str) -> str:
        """A text of the guide with folders that hosts of tests may write to."""
        own = str(self.lab.own)
        return re.sub(r"/(etc|var/lib|run)/skyshard", rf"{own}/\1", text)

    def run(self, command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of the guide on the czar's host; a smaller sky, so that it takes seconds."""
        line = command + next((more for begin, more in SMALLER.items() if command.startswith(begin)), "")
        name, *words = shlex.split(self.placed(line))
        assert name == "skyshard"
        return self.czar.skyshard(*words, check=check, folder=self.czar.folder)

    def require_running(self) -> None:
        for one in self.running:
            assert one.is_running, one.output

    def check(self) -> dict[str, list[str]]:
        """Faults by server."""
        found = json.loads(self.run("skyshard cluster check --json", check=False).stdout)
        said = {server["name"]: server["faults"] for server in found["servers"]}
        return {name: faults for name, faults in (said | {"": found["faults"]}).items() if faults}


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    """Secrets and cluster file are on every host, and what the guide starts runs."""
    need("openssl", "openssl")
    subprocess.run(["sh", EXAMPLES / "secrets.sh", *HOSTS], cwd=lab.folder, check=True)
    found = Site(lab, [])
    for name in HOSTS:
        host = lab.add(name)
        shutil.copytree(lab.folder / "secrets" / name, host.folder / "etc", dirs_exist_ok=True)
        (host.folder / "etc" / "cluster.yaml").write_text(found.placed((EXAMPLES / "cluster.yaml").read_text()))
        shown = "skyshard head run" if name == "czar" else f"skyshard node run {name}"
        words = found.placed(f"{shown} --file /etc/skyshard/cluster.yaml").split()[1:]
        found.running.append(host.start(*COMMAND, *words))
    (found.czar.folder / "synth").symlink_to(ROOT / "synth")
    yield found
    for one in found.running:
        one.signal(signal.SIGTERM)
    for one in found.running:
        assert one.wait() == 0, one.output


def test_the_guide_is_followed_from_nothing(site: Site) -> None:
    """Fewer than ten commands of skyshard; the check proves both folders, all checks of verify are good."""
    assert sum(command.startswith("skyshard ") for block in SHOWN for command in block.commands) < 10
    head, start, check, *use = ON_CZAR
    assert head == "skyshard head run --file /etc/skyshard/cluster.yaml"
    wait_until(lambda: is_ray_up(site.running), "Ray is ready on every host")
    deadline = time.monotonic() + START_TIMEOUT_S
    while (ran := site.run(start, check=False)).returncode or (ran := site.run(check, check=False)).returncode:
        site.require_running()
        assert ran.returncode == 3, ran.stderr
        assert time.monotonic() < deadline, ran.stdout + ran.stderr
        time.sleep(BETWEEN_COMMANDS_S)
    assert site.run(check).stdout.count("proved") == 2
    said = {command: site.run(command).stdout for command in use}
    rows = next(text for command, text in said.items() if command.startswith("skyshard query"))
    assert int(re.findall(r"\d+", rows.partition("COUNT(*)")[2])[0]) > 100
    manifest = json.loads((site.czar.folder / "trial" / "manifest.json").read_text())
    assert set(manifest["environment"]["nodes"]) == {"db1", "db2"}
    assert set(manifest["servers"]) == {"czar", "db1", "db2"}


def test_a_full_staging_disk_is_said(site: Site) -> None:
    """A full staging disk."""
    staging = site.lab.own / "var" / "lib" / "staging"
    small_disk(site.lab["db1"], staging, "1m")
    try:
        [(name, [fault])] = site.check().items()
    finally:
        site.lab["db1"].run("umount", str(staging))
    assert name == "db1"
    assert "MiB are free in its staging folder" in fault


def test_a_node_with_rows_keeps_its_name(site: Site) -> None:
    """A file that renames one is refused before anything is changed; commands go on as before."""
    file = site.czar.folder / "etc" / "cluster.yaml"
    text = file.read_text()
    file.write_text(text.replace("name: db2", "name: db3"))
    try:
        ran = site.run("skyshard cluster start --file /etc/skyshard/cluster.yaml", check=False)
    finally:
        file.write_text(text)
    assert ran.returncode == 2
    assert "node 'db2' has rows, and the cluster file does not name it" in ran.stderr
