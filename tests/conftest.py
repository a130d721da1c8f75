"""Shared fixtures: time limits by folder, and one private cluster for all integration tests of a session."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from functools import cache, partial
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import brief_reports, shared_rewriting
from tests.support.depth import DEPTH, drawn
from tests.support.hosts import Lab
from tests.support.letters import LETTERS
from tests.support.namespaces import NoHostsHere
from tests.support.program_constants import leave_out_constants

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.host import process_tuning
from skyshard.host.process_tuning import is_tuning_allowed
from skyshard.testbed import Testbed

UNIT_LIMIT_S = 10
"""Of processor time: two seconds on an idle machine. Where others keep both cores busy, the same work was seen to take
five times that, which is no fault of the test."""
MILLION_S = 0.06
"""What a million numbers took there, squared and added up."""
UNIT_LIMIT = pytest.StashKey[float]()
"""The seconds of processor time that a unit test allows itself with a mark ``timeout``."""
HANGS_AFTER_S = 600
NODES = int(os.environ.get("SKYSHARD_NODES", "2"))
os.environ.setdefault("SKYSHARD_MEMORY", "4G")
"""Several clusters run at once: their caches are small, so that they start fast."""
os.environ.setdefault("RAY_worker_niceness", "0")
"""Where two processes of tests keep both cores busy, Ray's own 15 leaves its workers next to nothing."""
IN_MEMORY = Path("/dev/shm")
MEMORY_BYTES = 8 << 30
"""What the files of all tests together stay below."""
FILES = IN_MEMORY if IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > MEMORY_BYTES else Path("/tmp")
"""Where clusters and temporary folders are: who makes a table waits for the disk twice, and tests make thousands."""
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(FILES))
LONG_FILES = (
    "test_documented", "test_running_hosts", "test_visit_stores", "test_ingest_hosts", "test_lost_rows",
    "test_faults_over_hosts", "test_serve", "test_soak", "test_compaction", "test_faults", "test_moves_meanwhile",
    "test_exactly_once", "test_ended_commands", "test_experiment", "test_moves", "test_row_policies", "test_cluster",
    "test_replace", "test_projection", "test_ending", "test_apdb_publish", "test_columns", "test_synth_ingest",
    "test_operating", "test_table_indexes", "test_engines", "test_czar", "test_mysql_door", "test_nodes",
    "test_bench_doors", "test_visit_kills", "test_replicas", "test_queries_over_hosts", "test_packaging",
    "test_database_life", "test_page", "test_lost_czar", "test_json_outputs", "test_column_history", "test_charsets",
    "test_czar_near_pairs", "test_story", "test_bench", "test_obscore_kills", "test_obscore", "test_cluster_upgrade",
    "test_runtime", "test_czar_silence", "test_bench_stop", "test_ingest", "test_czar_long", "test_keys",
    "test_docs_site", "test_mysql_letters", "test_transactions", "test_serve_kills", "test_server_settings",
    "test_soundness", "test_agreement", "test_czar_grown", "test_czar_plain", "test_apart", "test_czar_one_chunk",
    "test_replayed_rows", "test_full_disk", "test_diff", "test_lost_czar_changes", "test_czar_failures",
    "test_histories", "test_drop_table", "test_server_check", "test_czar_whole_numbers", "test_bounded_ddl",
    "test_node_loader", "test_mysql_prepared", "test_hosts", "test_driver_processes", "test_mysql_fuzz", "test_sources",
    "test_sources_bad_input", "test_query_imports", "test_doubled_keys", "test_apdb_upkeep", "test_visits",
    "test_czar_grammar", "test_printed_pages", "test_synth_ray", "test_czar_split", "test_tap", "test_column_kinds",
    "test_demo", "test_strays", "test_origin", "test_obscore_shapes", "test_mysql_lookups", "test_visit_experiment",
    "test_columns_odd", "test_run_visits", "test_ingest_rest", "test_synth_plan", "test_visit_sky", "test_generate",
    "test_felis_rows", "test_bench_visits", "test_visit_page", "test_metadata_folder", "test_visit_cells",
    "test_sqlite_store", "test_chunk_statements", "test_effects", "test_schema_names", "test_k8s_rendered",
    "test_report", "test_run_trial", "test_write_weekly", "test_ingest_state", "test_mapping_source",
    "test_packed_streams", "test_shipped_mappings", "test_http_connection", "test_stored_region_sql", "test_completion",
    "test_experiment_page", "test_driver",
)  # fmt: skip
"""Files that take longest come first, of unit tests and of integration tests; a wrong order only costs time.

Of the first ones those on hosts have others between them: two sites of hosts side by side keep each other waiting."""
settings.register_profile("skyshard", deadline=None, max_examples=drawn(25))
settings.load_profile("skyshard")
"""An example may take any time: how long it takes says more about the machine than about the code."""
if DEPTH <= 1:
    leave_out_constants()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Integration tests are not even imported where they are not wanted: reading them takes as long as a few tests."""
    return None if _wants_integration(config) or collection_path.name != "integration" else True


def _wants_integration(config: pytest.Config) -> bool:
    return bool(config.option.markexpr.strip() != "not integration")


class OnlyRealDoctests:
    """Modules without an example are not imported and searched for one: that took a third of the collection."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(self, file_path: Path) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
        found = yield
        return [one for one in found if type(one) is not DoctestModule or b">>> " in file_path.read_bytes()]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(OnlyRealDoctests())
    shared_rewriting.rewrite_share(config, ("unit", "integration") if _wants_integration(config) else ("unit",))
    if brief_reports.are_wanted(config):
        config.pluginmanager.register(brief_reports.BriefReports())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what it runs in the background like that
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What is loaded stays to the end: looking through it for garbage took a twentieth of the time of unit tests.

    Of what tests leave, little is garbage that nothing but the collector finds: it looks less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _ready_to_draw() -> None:
    """Hypothesis makes tables of letters when it draws for the first time, which no single test is to answer for."""

    @settings(max_examples=1, database=None)
    @given(st.tuples(st.text(LETTERS), st.integers(), st.floats()))
    def first(_: object) -> None:
        pass

    first()


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """What a program alone may choose for its process a test takes back: the tests after it would go on with it.

    One that did not had each later test, its servers too, step back behind all else on the machine.
    """
    yield
    assert not is_tuning_allowed(), "the test allowed tuning, for good: use the fixture untuned"


@pytest.fixture
def untuned() -> Iterator[None]:
    """For a test that calls ``main`` or ``allow_tuning``: afterwards this process is one of a library again."""
    thresholds = gc.get_threshold()
    with pytest.MonkeyPatch.context() as taken_back:
        taken_back.setattr(process_tuning, "_is_allowed", False)
        taken_back.setenv("OPENBLAS_NUM_THREADS", os.environ.get("OPENBLAS_NUM_THREADS", "1"))
        yield
    gc.set_threshold(*thresholds)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Unit tests come first; integration tests are marked as such; each ends after a time, be it stuck or not.

    Of several processes none should begin a long file when the others have ended. What is marked ``deep`` is left out
    of a usual run.
    """
    if DEPTH <= 1 and (deep := [item for item in items if item.get_closest_marker("deep")]):
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if not item.get_closest_marker("deep")]
    items.sort(key=lambda item: _place(item.path))
    for item in items:
        limit = item.get_closest_marker("timeout")
        if _place(item.path)[0]:
            item.add_marker(pytest.mark.integration)
        elif limit is not None:
            item.stash[UNIT_LIMIT] = limit.args[0]
        if limit is None or (item.stash.get(UNIT_LIMIT, HANGS_AFTER_S) < HANGS_AFTER_S):
            item.add_marker(pytest.mark.timeout(HANGS_AFTER_S), append=False)


@cache
def _place(file: Path) -> tuple[bool, int]:
    """Whether a file has integration tests, and where it is among the long ones; asked for thousands of tests."""
    is_long = file.stem in LONG_FILES
    return "integration" in file.parts, LONG_FILES.index(file.stem) if is_long else len(LONG_FILES)


def slowness() -> float:
    """How many times as long as an idle core of the machine that the limits are of this one now computes."""
    start = time.process_time()
    sum(number * number for number in range(1_000_000))
    return (time.process_time() - start) / MILLION_S


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A unit test that takes the processor for long is none; ``timeout`` says how long it may take if not as others."""
    start = time.process_time()
    result = yield
    used_s, most_s = time.process_time() - start, item.stash.get(UNIT_LIMIT, UNIT_LIMIT_S)
    if "unit" in item.path.parts and used_s > most_s and used_s > most_s * slowness():
        pytest.fail(f"this unit test may take {most_s} s of processor time; it took {used_s:.1f} s")
    return result


@pytest.fixture(scope="session")
def guarded() -> Iterator[tuple[Path, Callable[[object], None]]]:
    """A folder with a short path, and what names another one: they go at the end, also when the tests are killed."""
    folder = Path(tempfile.mkdtemp(prefix="skyshard-test-", dir=FILES))
    script = Path(__file__).parent / "support" / "cluster_guard.py"
    guard = subprocess.Popen([sys.executable, script, folder], stdin=subprocess.PIPE, start_new_session=True, text=True)
    assert guard.stdin is not None
    guard_too = partial(print, file=guard.stdin, flush=True)
    guard_too(multiprocessing.util.get_temp_dir())
    yield folder, guard_too
    shutil.rmtree(folder, ignore_errors=True)
    guard.communicate()


@pytest.fixture(scope="session")
def short_folder(guarded: tuple[Path, Callable[[object], None]]) -> Path:
    """A folder with a short path, removed at the end, also when the tests are killed."""
    return guarded[0]


@pytest.fixture(scope="session")
def private_cluster(short_folder: Path) -> Iterator[PrivateCluster]:
    """A running cluster of two nodes and the czar, destroyed at the end; tests clean up the databases they make."""
    cluster = PrivateCluster(short_folder / "cluster")
    try:
        cluster.start(NODES)
        yield cluster
    finally:
        if cluster.exists:
            cluster.destroy()


@pytest.fixture(scope="module")
def own_cluster(short_folder: Path) -> Iterator[PrivateCluster]:
    """A cluster of a file's own, for tests that look at all databases: others leave some on a shared one."""
    cluster = PrivateCluster(Path(tempfile.mkdtemp(dir=short_folder)) / "own")
    try:
        cluster.start(NODES)
        yield cluster
    finally:
        if cluster.exists:
            cluster.destroy()


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster) -> Iterator[Testbed]:
    """The private cluster, opened once for the tests of a file."""
    with Testbed(private_cluster.folder) as testbed:
        yield testbed


@pytest.fixture(scope="module")
def lab(guarded: tuple[Path, Callable[[object], None]]) -> Iterator[Lab]:
    """A switch for hosts of its own, which a file's tests add. Where there can be none, they are skipped.

    Where ``SKYSHARD_HOSTS`` is ``required``, as in CI, they fail.
    """
    try:
        opened = Lab()
    except NoHostsHere as error:
        if os.environ.get("SKYSHARD_HOSTS") == "required":
            pytest.fail(str(error))
        pytest.skip(str(error))
    guarded[1](opened.folder)  # where the hosts' first processes are killed with the tests, nobody else removes it
    with contextlib.closing(opened):
        yield opened
