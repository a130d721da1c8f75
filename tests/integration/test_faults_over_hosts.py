"""Shipped scenarios of networks and disks on hosts, with the commands that they ship with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.host_faults import need, small_disk
from tests.support.host_script import OWN
from tests.support.hosts import Host, Lab
from tests.support.played_systemctl import PlayedSystemctl
from tests.support.remote_shell import remote_shell
from tests.support.running_site import RunningSite, running_site
from typer.testing import CliRunner

from skyshard.bench.record.fault_record import FaultImpact
from skyshard.bench.record.trial_folder import read_trial
from skyshard.cli.app import app
from skyshard.cluster.left_faults import has_faults

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[RunningSite]:
    """Two nodes, each with a small disk for its data; ``sky`` on both, and its oracle."""
    with running_site(lab, 2, data="disk/mysql", prepare=_disk) as made:
        made.skyshard("ingest", "mini", "--database", "sky", "--replicas", "2")
        made.skyshard("mono", "load", "sky")
        yield made


def _disk(host: Host) -> None:
    """A disk of its own for the server's data, where the host's commands see it."""
    disk = host.folder.parent / OWN / "disk"
    host.run("mkdir", str(disk))
    small_disk(host, disk, "600m")


SILENT = ("cable_out", "node_frozen")
"""Scenarios that are met by silence, which lasts 3 s: a third of the phase is longer."""


def run(
    site: RunningSite, scenario: str, out: Path, monkeypatch: pytest.MonkeyPatch, kinds: list[str] | None = None
) -> FaultImpact:
    """Run the workload with a scenario on the czar's host; no answer is wrong, no query fails."""
    monkeypatch.setenv("SKYSHARD_SSH", str(remote_shell(site.lab)))
    monkeypatch.setenv("SKYSHARD_DATA", str(site.lab.own / "disk"))
    duration_s = 15 if scenario in SILENT else 7
    words = ["bench", "run", "steady", "--database", "sky", "--duration", str(duration_s), "--no-page"]
    with site.czar.network():
        words += ["--scenario", scenario, "--out", str(out), "--cluster", str(site.folder)]
        ended = CliRunner().invoke(app, words)
    if ended.exit_code:
        pytest.fail(f"exit code {ended.exit_code}: {ended.output} {ended.exception}")
    found = read_trial(out).summary.faults
    assert found is not None
    assert (found.errors, found.wrong, found.level) == ({}, 0, "")
    assert [(one.do, one.error) for one in found.events] == [(kind, "") for kind in kinds or [scenario]]
    assert not has_faults(site.folder)
    return found


def test_a_host_whose_cable_is_out_costs_no_answer(
    site: RunningSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The czar meets its silence and asks the other node; afterwards the host is as before."""
    need("nft", "nftables")
    (event,) = run(site, "cable_out", tmp_path / "trial", monkeypatch).events
    assert event.noticed_s is not None
    assert event.ended_s is not None
    assert site.lab[event.node].run("nft", "list", "ruleset").stdout == ""
    require_as_before(site)


def test_a_full_disk_costs_no_answer(site: RunningSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was full, and is as before."""
    rooms = [LeastRoom(site).now(host.name) for host in site.nodes]
    assert max(rooms) < 1 << 30, f"disks of hosts are not their own: {rooms}"
    with LeastRoom(site) as seen:
        (event,) = run(site, "full_disk", tmp_path / "trial", monkeypatch).events
    assert event.ended_s is not None
    assert seen.bytes[event.node] < 1 << 20
    assert [one for one in seen.bytes if one != event.node and seen.bytes[one] < 1 << 20] == []
    assert seen.now(event.node) > 1 << 20
    require_as_before(site)


@pytest.mark.parametrize(("scenario", "kinds"), [("node_frozen", ["stop"]), ("node_back_after_a_while", ["kill"])])
def test_units_of_systemd_are_frozen_and_killed_without_a_command(
    site: RunningSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: str, kinds: list[str]
) -> None:
    """The scenarios that a private cluster has as well: the czar asks the other node, and the unit goes on later."""
    with PlayedSystemctl(site):
        (event,) = run(site, scenario, tmp_path / "trial", monkeypatch, kinds).events
    assert event.noticed_s is not None
    assert event.ended_s is not None
    changed = site.lab[event.node].run("ls", "-R", "/run/systemd", check=False)
    assert "skyshard-fault" not in changed.stdout
    require_as_before(site)


def require_as_before(site: RunningSite) -> None:
    """Every host answers, every replica is good; Ray of one that was away may still have to notice, and start again."""
    site.when_good(
        """
        scrubbed = testbed.replicas.verify()
        if any(one.unread for one in scrubbed):
            sys.exit(f"ClusterError: {scrubbed}")
        assert [one.is_good for one in scrubbed] == [True], scrubbed
        """
    )


class LeastRoom:
    """Looks all the while how much room the disks of nodes have."""

    def __init__(self, site: RunningSite) -> None:
        self.bytes = {host.name: 1 << 40 for host in site.nodes}
        self._site = site
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def now(self, node: str) -> int:
        told = self._site.lab[node].run("df", "--output=avail", "-B1", str(self._site.lab.own / "disk"))
        return int(told.stdout.split()[-1])

    def _look(self) -> None:
        while not self._is_over.wait(0.3):
            self.bytes = {node: min(least, self.now(node)) for node, least in self.bytes.items()}

    def __enter__(self) -> LeastRoom:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
