"""A cluster on several hosts as operators run it, by `skyshard head run` and `skyshard node run`, behind firewalls.

And its Ray: joined, cut off, killed; what a driver is told, and what is left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support import host_faults as faults
from tests.support.hosts import CHECKOUT, PREFIX, Host, Lab, Running
from tests.support.network_server import SECRET
from tests.support.running_site import (
    BETWEEN_COMMANDS_S,
    COMMAND,
    CZAR,
    SOCKET,
    SPARE_MEMORY,
    RunningSite,
    is_ray_up,
    running_site,
    wait_until,
)

from skyshard.catalog.ddl import DUMMY_CHUNK
from skyshard.db.connection import Account, connect
from skyshard.host.shipped_data import data_folder
from skyshard.runtime.ray_settings import ACROSS_HOSTS, PATIENT, QUIET, RayPorts
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(1200)]
RECIPE = str(data_folder("synth", "recipes") / "mini.yaml")
RAY_PORT = 6379
COUNT = "SELECT COUNT(*) AS n, SUM(objectId % 1000) AS total FROM Object WHERE ra > 0"
_JOIN = """
import operator, os, sys, threading, time
from skyshard.runtime import RayAddress, open_runtime
def join(*nodes, host="czar", port=6379, token="OWN/token"):
    return open_runtime("ray", nodes, join=RayAddress(host, port, token))
def say(*words):
    print(*words, flush=True)
def refused(work):
    try:
        work()
    except Exception as error:
        say(type(error).__name__, getattr(error, "retryable", ""), error)
"""


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[RunningSite]:
    """Two nodes; on every host all ports are shut but those that the guide for operators names, by its own rules."""
    with running_site(lab, 2, silence_s=15.0, prepare=_shut) as made:  # no server here is silent, but some are slow
        made.skyshard("ingest", RECIPE, "--database", "sky", "--replicas", "2")
        yield made


def _shut(host: Host) -> None:
    if host.name == CZAR:
        faults.close_all_but(host, [RAY_PORT, *RayPorts().open_to_hosts.split(",")])
        return
    guide = (CHECKOUT / "docs" / "how-to" / "operating.md").read_text()
    rules = guide.split("```text\ntable inet skyshard {\n", 1)[1].split("  }\n}\n```", 1)[0]
    faults.close_by(host, rules.replace("10.0.0.0/24", f"{PREFIX}0/24"))


def test_all_works_and_no_packet_is_lost_with_only_the_named_ports_open(site: RunningSite) -> None:
    """An ingest, its verification and a query."""
    site.skyshard("verify", "sky")
    assert "1 row" in site.skyshard("query", "SELECT COUNT(*) FROM Object", "--database", "sky").stdout
    assert {name: faults.lost_packets(host) for name, host in site.lab.hosts.items()} == dict.fromkeys(
        site.lab.hosts, 0
    )


def test_no_secret_of_a_running_cluster_is_where_others_could_see_it(site: RunningSite) -> None:
    """Neither a password nor Ray's token: not in arguments and variables of processes, nor in any log."""
    token = (site.lab.own / "token").read_text()
    seen = {name: host.run("ps", "axeww").stdout for name, host in site.lab.hosts.items()}
    logs = ("logs/*", "mysql.run/*.log", "tmp/skyshard-ray-*/**/logs/*", "cluster/log/*")
    for host in site.lab.hosts.values():
        found = [path for log in logs for path in host.folder.glob(log) if path.is_file()]
        seen |= {str(path): path.read_text(errors="replace") for path in found}
    assert len(seen) > 30
    assert "mariadbd" in seen["node1"]
    assert [name for name, text in seen.items() if SECRET in text or token in text] == []


def test_what_queries_could_not_read_on_another_host_is_marked_and_only_that(site: RunningSite) -> None:
    """Answers are right meanwhile, and a repair brings all back."""
    files = (site.lab["node1"].folder / "mysql" / "sky").glob("Object_[0-9]*.MYD")
    lost = sorted(file for file in files if str(DUMMY_CHUNK) not in file.name)
    with site.czar.network(), Testbed(site.folder) as testbed:
        before = testbed.query("SELECT COUNT(*) FROM Object", database="sky").table
        with connect(testbed.cluster.endpoint("node1"), Account.ADMIN, "sky") as connection:
            connection.execute("FLUSH TABLES")
            for data in lost:
                data.unlink()
        assert testbed.query("SELECT COUNT(*), 1 FROM Object", database="sky").table[0] == before[0]
        wait_until(
            lambda: bool(testbed.replicas.status("sky").faulty), "what the query could not read is marked", every_s=0.5
        )
    with site.czar.network(), Testbed(site.folder) as testbed:
        faulty = testbed.replicas.status("sky").faulty
    assert {(one.table, one.node) for one in faulty} == {("Object", "node1")}
    assert len(faulty) < len(lost)  # the other node was asked for the rest
    site.at_once("testbed.replicas.verify('sky'); testbed.replicas.repair('sky')")


def joining(site: RunningSite) -> str:
    """The beginning of a driver's code."""
    return _JOIN.replace("OWN", str(site.lab.own))


def processes_in(host: Host) -> list[psutil.Process]:
    """All processes of a host but the first and what keeps it."""
    space = Path(f"/proc/{host.pid}/ns/pid").stat().st_ino
    found = []
    for process in psutil.process_iter(["cmdline", "name"]):
        with contextlib.suppress(OSError):
            is_there = Path(f"/proc/{process.pid}/ns/pid").stat().st_ino == space
            if is_there and process.info["name"] not in ("sh", "cat"):
                found.append(process)
    return found


def named(host: Host, name: str) -> psutil.Process:
    return next(process for process in processes_in(host) if process.info["name"] == name)


def driver(site: RunningSite, code: str) -> Running:
    """A driver on the czar's host; it goes on."""
    return site.czar.start(sys.executable, "-c", joining(site) + code, variables=SPARE_MEMORY)


def test_what_cannot_be_joined_is_said_in_a_line(site: RunningSite) -> None:
    """Nobody at the address, a token that the head does not know or that others may read, a node that is not there."""
    czar, own = site.czar, site.lab.own
    for name, mode in {"other": 0o600, "open": 0o644}.items():
        (czar.folder / name).write_text("f" * 64)
        (czar.folder / name).chmod(mode)
    said = czar.python(
        joining(site)
        + f"""
refused(lambda: join(host="node1", port=7658))
refused(lambda: join(token="{own}/other"))
refused(lambda: join(token="{own}/open"))
refused(lambda: join(token="{own}/none"))
with join("node1", "node3") as runtime:
    refused(lambda: runtime.actor("list", list, node="node3"))
    refused(lambda: runtime.submit(time.time, node="node3"))
    say(sorted(runtime.joined()), runtime.cpus)
""",
        variables=SPARE_MEMORY,
    ).splitlines()
    assert said[0] == (
        "ClusterError True no Ray head answers at node1:7658 (Connection refused); "
        "start `skyshard head run` on the czar's host"
    )
    assert said[1].startswith(f"ClusterError False the Ray head at czar:6379 does not take the token in {own}/other; ")
    assert said[2] == f"UserError  others may read token file {own}/open; chmod 600 {own}/open"
    assert said[3].startswith(f"UserError  token file {own}/none: No such file")
    missing = "ClusterError True node3 has not joined the Ray of czar:6379; start `skyshard node run node3` on its host"
    assert said[4:] == [missing, missing, "['node1'] 2"]


def test_another_version_of_ray_is_refused(site: RunningSite) -> None:
    """Both versions are named. The driver's is faked: a module that every Python imports at its start renames it."""
    folder = site.czar.folder / "fake"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import ray\nray.__version__ = '2.1.0'\n")
    path = os.pathsep.join(filter(None, [f"{site.lab.own}/fake", os.environ.get("PYTHONPATH")]))
    variables = {**SPARE_MEMORY, "PYTHONPATH": path}
    said = site.czar.python(joining(site) + "refused(lambda: join('node1'))", variables=variables)
    assert said.startswith("UserError  the Ray head at czar:6379 is Ray 2.")
    assert ", here it is 2.1.0 on " in said


def test_every_process_of_ray_has_our_settings_and_no_secret(site: RunningSite) -> None:
    """Head and raylets run with the settings of one constant; token and passwords are in no command line, environment
    or log."""
    token = (site.lab.own / "token").read_text()
    for host in site.lab.hosts.values():
        ray = [process for process in processes_in(host) if process.info["name"] in ("gcs_server", "raylet")]
        assert [process.info["name"] for process in ray].count("raylet") == 1
        for process in ray:
            assert process.environ().items() >= {**ACROSS_HOSTS, **PATIENT, **QUIET, "RAY_AUTH_MODE": "token"}.items()
        for process in processes_in(host):
            with contextlib.suppress(psutil.Error):  # it has ended since
                told = " ".join([*process.cmdline(), *process.environ().values()])
                assert token not in told
                assert SECRET not in told
                assert re.search(r"/(dashboard|monitor|log_monitor)\.py\b", told) is None, "nobody uses it"
        logs = [*(host.folder / "logs").glob("*.log"), *host.folder.glob("mysql.run/*")]
        logs += (host.folder / "tmp").glob("skyshard-ray-*/r/session_*/logs/*")
        assert len(logs) > 5
        for log in filter(Path.is_file, logs):
            text = log.read_text(errors="replace")
            assert token not in text
            assert SECRET not in text


def test_large_results_go_from_node_to_node(site: RunningSite) -> None:
    """What one actor made is an argument of another one's call; it comes to the driver only when it is asked for."""
    said = site.czar.python(
        joining(site)
        + """
with join("node1", "node2") as runtime:
    one, two = (runtime.actor("list", list, node=node) for node in ("node1", "node2"))
    block = runtime.submit(bytes, 10_000_000, node="node1")
    two.call(list.append, block).result()
    say(len(two.call(list.copy).result()[0]), len(block.result()))
    refused(lambda: one.call(list.pop).result())
    say(runtime.submit(os.uname, node="node2").result().nodename, one.call(list.copy).result())
""",
        variables=SPARE_MEMORY,
    )
    assert said.splitlines() == ["10000000 10000000", "IndexError  pop from empty list", "node2 []"]


def test_a_short_blip_loses_nothing(site: RunningSite) -> None:
    """A cable that is out for 4 s ends neither a call nor a task."""
    running = driver(
        site,
        """
with join("node1") as runtime:
    event = runtime.actor("event", threading.Event, node="node1")
    event.call(threading.Event.is_set).result()
    work = [event.call(threading.Event.wait, 7), runtime.submit(time.sleep, 7, node="node1")]
    say("at work")
    say([one.result() for one in work])
""",
    )
    wait_until(lambda: "at work" in running.output, "work has begun", running)
    site.lab["node1"].pull_cable()
    with contextlib.suppress(psutil.TimeoutExpired):
        named(site.czar, "gcs_server").wait(4)
    site.lab["node1"].plug()
    assert running.wait() == 0, running.output
    assert "[False, None]" in running.output


def test_a_host_that_is_cut_off_is_named_and_comes_back(site: RunningSite) -> None:
    """A call and a task on it end with an error that names the node, others go on; it rejoins by its supervisor."""
    running = driver(
        site,
        """
runtime = join("node1", "node2")
events = {node: runtime.actor("event", threading.Event, node=node) for node in ("node1", "node2")}
for event in events.values():
    event.call(threading.Event.is_set).result()
call, task, other = (events["node1"].call(threading.Event.wait, 500), runtime.submit(time.sleep, 500, node="node1"),
                     events["node2"].call(threading.Event.wait, 16))
say("at work")
refused(task.result)
refused(call.result)
while "node1" in runtime.joined():
    time.sleep(0.1)
say("gone")
say(other.result(), events["node1"].is_dead, events["node2"].is_dead)
while "node1" not in runtime.joined():
    time.sleep(0.5)
say(runtime.actor("again", list, node="node1").call(list.copy).result())
runtime.close()
""",
    )
    wait_until(lambda: "at work" in running.output, "work has begun", running)
    site.lab["node1"].pull_cable()
    wait_until(lambda: "gone" in running.output, "both were told, and Ray has given the host up", running)
    site.lab["node1"].plug()
    assert running.wait(300) == 0, running.output
    said = running.output.splitlines()
    assert all(line.startswith("ClusterError True ") and "node1" in line for line in said[1:3]), said
    assert said[3:] == ["gone", "False True False", "[]"]
    assert "Ray ended" in site.supervisors["node1"].output


def test_a_head_that_is_killed_is_an_error_and_comes_back(site: RunningSite) -> None:
    """The driver is told, neither ended nor kept waiting; head and nodes are started again, and are joined anew."""
    running = driver(
        site,
        """
runtime = join("node1")
runtime.actor("list", list, node="node1").call(list.copy).result()
work = [runtime.submit(time.sleep, 500, node="node1"), runtime.submit(time.sleep, 500)]
say("at work")
for one in work:
    refused(one.result)
refused(lambda: runtime.share(bytes(1_000_000)))
runtime.close()
while True:
    try:
        with join("node1", "node2") as again:
            if len(again.joined()) == 2:
                break
    except Exception:
        time.sleep(1)
say("joined again")
""",
    )
    wait_until(lambda: "at work" in running.output, "work has begun", running)
    named(site.czar, "gcs_server").kill()
    assert running.wait(400) == 0, running.output
    said = running.output.splitlines()
    assert all(line.startswith("ClusterError True ") and "the Ray" in line for line in said[1:4]), said
    assert said[4:] == ["joined again"]


def test_a_data_folder_is_one_nodes_and_one_supervisors(site: RunningSite) -> None:
    """A second supervisor, and that of another node, are refused with the remedy."""
    refused = [
        site.lab["node1"].run(*COMMAND, "node", "run", name, "--file", str(site.file), check=False)
        for name in ("node1", "node2", "node9")
    ]
    assert [one.returncode for one in refused] == [2, 2, 2]
    assert f"another process runs a server in {site.lab.own}/mysql" in refused[0].stderr
    assert "is that of node node1 of cluster lab, not of node2 of lab" in refused[1].stderr
    assert "cluster lab has no node 'node9'" in refused[2].stderr


@pytest.mark.parametrize("host", ["node1", CZAR])
def test_a_server_that_is_killed_is_started_again_by_its_supervisor(site: RunningSite, host: str) -> None:
    """On a node and on the czar's host: nobody else does anything, and all rows are there again."""
    before = named(site.lab[host], "mariadbd")
    before.kill()
    wait_until(
        lambda: any(one.info["name"] == "mariadbd" and one != before for one in processes_in(site.lab[host])),
        f"the server of {host} is started again",
        site.supervisors[host],
    )
    wait_until(
        lambda: site.skyshard("cluster", "check", check=False).returncode == 0,
        f"{host} answers",
        site.supervisors[host],
        every_s=BETWEEN_COMMANDS_S,
    )
    site.skyshard("verify", "sky")


def test_a_host_whose_power_was_cut_is_named_and_comes_back(site: RunningSite) -> None:
    """Its rows are there again, without anybody's help but the start of its supervisor, which leaves nothing either."""
    site.lab["node1"].kill()
    found = site.skyshard("cluster", "check", check=False)
    assert found.returncode == 3
    assert "node1 (node1:3306): no server answers" in found.stdout
    site.boot("node1")
    site.skyshard("verify", "sky")


def test_a_third_host_is_added_filled_and_removed(site: RunningSite) -> None:
    """Refused while it does not run; then it has what every node has, and gets new chunks."""
    before = counted(site, "sky")
    _shut(site.prepare("node3", ["node1", "node2", "node3"]))
    wider = str(site.lab.own / "wider.yaml")
    (site.czar.folder / "wider.yaml").write_text((site.lab["node3"].folder / "cluster.yaml").read_text())
    refused = site.skyshard("nodes", "add", "--file", wider, check=False)
    assert (refused.returncode, "node3" in refused.stderr.splitlines()[-1]) == (3, True), refused.stderr
    assert [one["name"] for one in listed(site)] == ["node1", "node2"]
    site.launch("node3")
    added: list[Any] = []

    def is_added() -> bool:
        found = site.skyshard("nodes", "add", "--file", wider, "--json", check=False)
        if found.returncode == 0:
            added.extend(json.loads(found.stdout))
        return found.returncode == 0

    its_own = site.supervisors["node3"]
    wait_until((site.lab["node3"].folder / SOCKET).exists, "node3 listens", its_own)
    wait_until(lambda: is_ray_up([its_own]), "Ray is ready on node3", its_own)
    wait_until(is_added, "node3 is added", its_own, every_s=BETWEEN_COMMANDS_S)
    assert [(one["node"], one["databases"], one["left"]) for one in added] == [("node3", 1, {})]
    site.at_once("testbed.ingest('mini', database='three', replicas=3); require_good('sky'); require_good('three')")
    assert [counted(site, name) for name in ("sky", "three")] == [before, before]
    site.skyshard("replicas", "status")
    [third] = [one for one in listed(site) if one["name"] == "node3"]
    assert (third["state"], third["answers"], third["chunks"] > 0) == ("active", True, True)
    held = site.skyshard("nodes", "remove", "node3", check=False)
    assert (held.returncode, "replicas drain node3" in held.stderr) == (2, True)
    site.skyshard("drop", "three", "--yes", "--grace", "0")
    site.skyshard("nodes", "remove", "node3")
    assert [one["name"] for one in listed(site)] == ["node1", "node2"]
    site.skyshard("replicas", "status")
    again = site.skyshard("nodes", "add", "--file", wider, check=False)
    assert (again.returncode, "there was a node node3" in again.stderr) == (2, True)
    assert counted(site, "sky") == before


def counted(site: RunningSite, database: str) -> Any:
    return json.loads(site.skyshard("query", COUNT, "--database", database, "--format", "json").stdout)["rows"]


def listed(site: RunningSite) -> Any:
    return json.loads(site.skyshard("nodes", "list", "--json").stdout)


def test_nothing_is_left_of_a_supervisor(site: RunningSite) -> None:
    """Asked to end it ends with 0; killed, it leaves no process either, and its server has stopped properly."""
    site.supervisors["node2"].signal(signal.SIGTERM)
    assert site.supervisors["node2"].wait() == 0
    assert processes_in(site.lab["node2"]) == []
    site.supervisors["node1"].signal(signal.SIGKILL)
    wait_until(lambda: processes_in(site.lab["node1"]) == [], "all processes have ended")
    for name in ("node1", "node2"):
        log = (site.lab[name].folder / "mysql.run" / "server.log").read_text()
        assert log.rstrip().endswith("Shutdown complete")
        assert list((site.lab[name].folder / "tmp").glob("skyshard-ray-*")) == []
