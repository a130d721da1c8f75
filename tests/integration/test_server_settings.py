"""Settings of servers on real ones: in force, kept, refused, taken back as a whole, whatever ends the command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.asking import ASK_EVERY_S
from tests.support.warm_processes import run_warm

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.cluster_file import read_cluster_file
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.cluster.server_status import ServerState
from skyshard.cluster.setting_names import SettingError
from skyshard.cluster.settings_file import FILE, read_chosen
from skyshard.db.connection import Account, connect
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

MIB = 2**20
DRIVER = Path(__file__).parents[1] / "support" / "settings_driver.py"
COMMAND = [sys.executable, "-m", "skyshard.cli.app", "cluster"]


@pytest.fixture(scope="module")
def tuned(short_folder: Path) -> Iterator[PrivateCluster]:
    """A cluster of two nodes with settings from its beginning."""
    cluster = PrivateCluster(short_folder / "tuned")
    cluster.start(2, ["key_buffer_size=16M", "node2:innodb_buffer_pool_size=64M", "czar:sort_buffer_size=1M"])
    yield cluster
    cluster.destroy()


@pytest.fixture
def plain(tuned: PrivateCluster) -> PrivateCluster:
    """The same cluster, as it was at its beginning, whatever a test did to it."""
    tuned.start()
    taken_back = [word.partition("=")[0] + "=default" for word in tuned.chosen.settings.words()]
    if taken_back:
        tuned.change_settings(taken_back)
    return tuned


def value(cluster: PrivateCluster, server: str, name: str) -> str:
    with connect(cluster.endpoint(server), Account.READER) as connection:
        return str(connection.value(f"SELECT @@GLOBAL.{name}"))


def values(cluster: PrivateCluster, name: str) -> list[str]:
    return [value(cluster, server, name) for server in cluster.node_names]


def pids(cluster: PrivateCluster) -> dict[str, int | None]:
    return {server.name: server.pid for server in cluster.status()}


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_warm(["cluster", *words, "--cluster", str(folder)], os.environ)


def test_a_cluster_starts_with_its_settings_and_keeps_them(tuned: PrivateCluster) -> None:
    """Every server has what was chosen for it, and nothing else; also after a stop and a start."""
    for _ in range(2):
        assert values(tuned, "key_buffer_size") == [str(16 * MIB)] * 2
        assert int(value(tuned, "node2", "innodb_buffer_pool_size")) == 64 * MIB
        assert int(value(tuned, "node1", "innodb_buffer_pool_size")) > 64 * MIB
        assert int(value(tuned, "czar", "sort_buffer_size")) == MIB
        assert int(value(tuned, "czar", "key_buffer_size")) > 16 * MIB
        tuned.stop()
        tuned.start()


def test_status_says_caches_and_settings(tuned: PrivateCluster) -> None:
    """Of running servers what is in force, of others what their next start gives."""
    tuned.stop_server("node2")
    found = {server.name: server for server in tuned.status()}
    assert found["node1"].caches["key_buffer_size"] == found["node2"].caches["key_buffer_size"] == 16 * MIB
    assert found["node2"].caches["innodb_buffer_pool_size"] == 64 * MIB
    assert found["node2"].settings == {"key_buffer_size": "16M", "innodb_buffer_pool_size": "64M"}
    tuned.start()
    printed = run("status", folder=tuned.folder).stdout
    assert "caches, from 4.0 GiB of memory" in printed
    facts = json.loads(run("status", "--json", folder=tuned.folder).stdout)
    assert facts["planned_memory_bytes"] == 4 * 2**30
    assert [server["settings"] for server in facts["servers"]][:2] == [
        {"sort_buffer_size": "1M"},
        {"key_buffer_size": "16M"},
    ]


def test_what_mariadb_can_change_is_changed_at_once(plain: PrivateCluster) -> None:
    """No server is restarted; `default` gives back what Skyshard or MariaDB sets."""
    before, ours = pids(plain), values(plain, "key_buffer_size")
    reported: list[str] = []
    plain.change_settings(["key_buffer_size=24M", "node1:optimizer_switch=mrr=on"], report=reported.append)
    assert reported == [
        "key_buffer_size: changed at once on node1, node2",
        "optimizer_switch: changed at once on node1",
    ]
    assert values(plain, "key_buffer_size") == [str(24 * MIB)] * 2
    assert ["mrr=on" in one for one in values(plain, "optimizer_switch")] == [True, False]
    plain.change_settings(["key_buffer_size=default", "node1:optimizer_switch=default"])
    assert values(plain, "key_buffer_size") == ours
    assert "mrr=off" in value(plain, "node1", "optimizer_switch")
    assert pids(plain) == before


def test_what_only_a_start_can_change_restarts_one_server_after_another(plain: PrivateCluster) -> None:
    """It is announced; the czar is not touched; the setting is in force, and goes back in the same way."""
    before = pids(plain)
    done = run("set", "aria_pagecache_buffer_size=24M", folder=plain.folder)
    assert done.returncode == 0
    assert done.stderr.splitlines()[:3] == [
        "restarting node1, node2, one at a time, for aria_pagecache_buffer_size",
        "node1 is back",
        "node2 is back",
    ]
    assert values(plain, "aria_pagecache_buffer_size") == [str(24 * MIB)] * 2
    assert [before[name] == now for name, now in pids(plain).items()][:3] == [True, False, False]
    plain.change_settings(["aria_pagecache_buffer_size=default"])
    assert int(value(plain, "node1", "aria_pagecache_buffer_size")) > 24 * MIB


def test_a_number_with_an_exponent_is_taken_where_mariadb_takes_it(plain: PrivateCluster) -> None:
    """Times are fractions, of which it reads all."""
    plain.change_settings(["long_query_time=1e-3"])
    assert [float(one) for one in values(plain, "long_query_time")] == [0.001] * 2


def test_settings_of_an_engine_that_is_a_plugin_can_be_chosen(plain: PrivateCluster, short_folder: Path) -> None:
    """At once where the engine can, else by a restart, and for a cluster that is made with them."""
    plain.change_settings(["rocksdb_block_cache_size=24M"])
    assert values(plain, "rocksdb_block_cache_size") == [str(24 * MIB)] * 2
    made = PrivateCluster(short_folder / "rocks")
    try:
        made.start(1, ["rocksdb_block_cache_size=16M", "rocksdb_max_background_jobs=3"])
        found = [value(made, "node1", f"rocksdb_{name}") for name in ("block_cache_size", "max_background_jobs")]
        assert found == [str(16 * MIB), "3"]
    finally:
        made.destroy()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["key_bufer_size=1M"], "setting 'key_bufer_size' is unknown to MariaDB .*; did you mean 'key_buffer_size'"),
        (["key_bufer_size=default"], "unknown to MariaDB"),
        (["innodb_trx=OFF"], "node1 has no variable 'innodb_trx'"),
        (["sort_buffer_size=1"], "'sort_buffer_size=1': MariaDB would make it 1024"),
        (["key_buffer_size=10000"], "'key_buffer_size=10000': MariaDB would make it 8192"),
        (["table_open_cache=1000000"], "'table_open_cache=1000000': MariaDB would make it"),
        (["long_query_time=0.00000001"], r"MariaDB would make it 0\.0"),
        (["concurrent_insert=WILD"], "Error while setting value 'WILD'"),
        (["key_buffer_size=1.5G"], r"Unknown suffix '\.'"),
        (["key_buffer_size=900G"], "this host has"),
        (["innodb_page_size=8K"], "holds only for a data folder that is made with it"),
        (["node3:flush=ON"], "no server 'node3'"),
        (["czar:rocksdb_block_cache_size=1M"], "unknown to MariaDB"),
        (["rocksdb_block_cache_size=1"], "'rocksdb_block_cache_size=1': MariaDB would make it 1024"),
        (["key_buffer_size=1e7"], "'key_buffer_size=1e7': MariaDB would make it 1152921504606846976; write a number"),
        (["sort_buffer_size=8K7"], "'sort_buffer_size=8K7': MariaDB would make it 8192"),
        (["key_buffer_size=1E"], "this host has"),
    ],
)
def test_what_a_server_would_not_take_is_refused_and_changes_nothing(
    plain: PrivateCluster, words: list[str], what: str
) -> None:
    """In one line, before or after it was tried; a good setting beside it is not applied either."""
    before = pids(plain), values(plain, "key_cache_division_limit"), plain.chosen
    with pytest.raises(UserError, match=what) as refused:
        plain.change_settings(["key_cache_division_limit=50", *words])
    assert "\n" not in str(refused.value)
    assert (pids(plain), values(plain, "key_cache_division_limit"), plain.chosen) == before


def test_a_setting_that_keeps_a_server_from_starting_is_taken_back(plain: PrivateCluster) -> None:
    """The servers run again as before, those that were restarted and those that were not yet."""
    before = values(plain, "key_buffer_size")
    with pytest.raises(ClusterError, match="node1 died while starting"):
        plain.change_settings(["key_buffer_size=9M", "thread_stack=64T"])
    assert values(plain, "key_buffer_size") == before
    plain.require_running()
    assert not plain.chosen.settings


def test_queries_and_testbeds_go_on_while_servers_are_restarted(plain: PrivateCluster, tmp_path: Path) -> None:
    """With two copies of each chunk no query fails while nodes go one after another; the czar's restart is survived."""
    write_catalog(read_recipe("mini"), tmp_path / "sky", fraction=0.05)
    with Testbed(plain.folder) as testbed, ThreadPoolExecutor(1) as thread:
        testbed.ingest(tmp_path / "sky", database="rolling", replicas=2, runtime="inline")
        count = "SELECT COUNT(*) AS n FROM Object"
        wanted = testbed.query(count, database="rolling").table
        changed = thread.submit(plain.change_settings, ["aria_pagecache_buffer_size=24M"])
        asked = 0
        while not changed.done() or not asked:
            assert testbed.query(count, database="rolling").table == wanted
            asked += 1
            time.sleep(ASK_EVERY_S)
        changed.result()
        plain.change_settings(["czar:aria_pagecache_buffer_size=24M"])
        assert testbed.query(count, database="rolling").table == wanted
        assert all(check.is_good for check in testbed.verify("rolling"))


def test_a_start_with_other_settings_changes_a_running_or_stopped_cluster(plain: PrivateCluster) -> None:
    """Words come on top of what holds, a cluster file replaces it; a start that fails starts nothing."""
    plain.start(settings=["key_buffer_size=10M"])
    assert values(plain, "key_buffer_size") == [str(10 * MIB)] * 2
    plain.stop()
    with pytest.raises(SettingError, match="MariaDB would make it"):
        plain.start(settings=["innodb_buffer_pool_size=70000001"])
    assert {server.state for server in plain.status()} == {ServerState.STOPPED}
    file = plain.folder.parent / "cluster.yaml"
    file.write_text("version: 1\nname: wide\nnodes: 2\noptions:\n  node1: {key_buffer_size: 11M}\n")
    plain.start(described=read_cluster_file(file).description, settings=["node2:key_buffer_size=12M"])
    assert values(plain, "key_buffer_size") == [str(11 * MIB), str(12 * MIB)]
    assert plain.chosen.name == "wide"
    file.write_text("version: 1\noptions:\n  nodes:\n    sort_buffer_size: 1\n")
    refused = run("start", "--file", str(file), folder=plain.folder)
    assert refused.returncode == 2
    assert "cluster.yaml', line 4: setting 'sort_buffer_size=1': MariaDB would make it 1024" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_settings_of_a_stopped_cluster_hold_from_its_next_start(plain: PrivateCluster) -> None:
    """Chosen while nothing runs, a value is checked as far as that can be; the start says what became of it."""
    plain.stop()
    reported: list[str] = []
    plain.change_settings(
        ["aria_pagecache_buffer_size=32M", "innodb_buffer_pool_size=70000001"], report=reported.append
    )
    assert any("node1, node2 not running: settings are kept" in line for line in reported)
    plain.start(report=reported.append)
    assert values(plain, "aria_pagecache_buffer_size") == [str(32 * MIB)] * 2
    assert any(line.startswith("node1: innodb_buffer_pool_size is ") for line in reported)
    assert plain.status()[1].not_in_force.keys() == {"innodb_buffer_pool_size"}


@pytest.mark.parametrize("word", ["key_buffer_size", "node1 is back"])
def test_a_change_that_is_killed_is_taken_back_by_the_next_start(plain: PrivateCluster, word: str) -> None:
    """Whenever it is killed: the next start says so, and all servers have what they had before."""
    names = ("key_buffer_size", "aria_pagecache_buffer_size")
    before = [values(plain, name) for name in names]
    settings = ["key_buffer_size=13M", "aria_pagecache_buffer_size=40M"]
    killed = subprocess.run([sys.executable, DRIVER, plain.folder, word, *settings])
    assert killed.returncode == -signal.SIGKILL
    assert plain.chosen.pending is not None
    assert "a change of settings was interrupted" in run("status", folder=plain.folder).stderr
    reported: list[str] = []
    plain.start(report=reported.append)
    assert reported[0].startswith("a change of settings was interrupted (to key_buffer_size=13M aria_pagecache")
    assert [values(plain, name) for name in names] == before
    assert plain.chosen == read_chosen(plain.folder)
    assert plain.chosen.pending is None


def test_a_server_that_a_killed_change_was_restarting_is_started_by_the_next_change(plain: PrivateCluster) -> None:
    """It was killed when node1 was stopped and not yet started: it would stay away, and the change be said to hold."""
    words = ["innodb_flush_method=O_DIRECT_NO_FSYNC"]
    killed = subprocess.run([sys.executable, DRIVER, plain.folder, "restarting", *words])
    assert killed.returncode == -signal.SIGKILL
    plain.stop_server("node1")
    reported: list[str] = []
    plain.change_settings(words, report=reported.append)
    assert "starting node1" in reported
    assert not any("not running" in line for line in reported)
    assert values(plain, "innodb_flush_method") == ["O_DIRECT_NO_FSYNC"] * 2


def test_a_server_that_is_killed_in_mid_change_leaves_old_or_new(plain: PrivateCluster) -> None:
    """SIGKILL at moments that nobody chose: the file is whole, and the next start makes the servers follow it."""
    for delay_s in (0.25, 0.4, 0.6, 0.8):
        with subprocess.Popen([*COMMAND, "set", "aria_group_commit_interval=7", "key_buffer_size=14M",
                               "--cluster", str(plain.folder)], stderr=subprocess.DEVNULL) as command:  # fmt: skip
            time.sleep(delay_s)
            command.kill()
        plain.start()
        is_new = bool(plain.chosen.settings)
        assert (values(plain, "key_buffer_size") == [str(14 * MIB)] * 2) == is_new
        assert (values(plain, "aria_group_commit_interval") == ["7"] * 2) == is_new
        if is_new:
            plain.change_settings(["aria_group_commit_interval=default", "key_buffer_size=default"])


def test_a_start_that_is_killed_before_its_record_can_be_repeated(short_folder: Path) -> None:
    """What it had written of its settings is not taken for those of the next cluster."""
    cluster = PrivateCluster(short_folder / "first")
    cluster.folder.mkdir()
    (cluster.folder / FILE).write_text('{"version": 1, "settings": {"by_scope": {"nodes": {"flush": "ON"}}}}')
    try:
        cluster.start(1)
        assert not cluster.chosen.settings
        assert value(cluster, "node1", "flush") == "0"
    finally:
        cluster.destroy()
    assert not cluster.folder.exists()


def test_a_new_cluster_with_a_wrong_setting_leaves_nothing(short_folder: Path) -> None:
    """Neither a folder nor a server; page sizes are chosen at the beginning, for one node if need be."""
    cluster = PrivateCluster(short_folder / "wrong")
    with pytest.raises(SettingError, match="MariaDB would make it"):
        cluster.start(1, ["innodb_buffer_pool_size=70000001"])
    assert not cluster.folder.exists()
    cluster.start(2, ["node2:innodb_page_size=8K"])
    try:
        assert values(cluster, "innodb_page_size") == ["16384", "8192"]
        with pytest.raises(SettingError, match="holds only for a data folder"):
            cluster.change_settings(["node2:innodb_page_size=default"])
    finally:
        cluster.destroy()
        shutil.rmtree(cluster.folder, ignore_errors=True)
