"""What every runtime promises: one suite, run inline and on Ray.

Actors and functions come from the standard library and from Skyshard, because Ray's processes import them by name.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import operator
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pytest

from skyshard.basics.errors import Bug, ClusterError, UserError
from skyshard.db.connection import Endpoint, connect
from skyshard.rowimage.sqltype import SqlType, parse_type
from skyshard.runtime import Runtime, open_runtime

pytestmark = pytest.mark.integration

NODES = ["node1", "node2"]
LIMIT_S = 120


@pytest.fixture(scope="module", params=["inline", "ray"])
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    with open_runtime(request.param, NODES, cpus=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def is_ray(runtime: Runtime) -> bool:
    return type(runtime).__name__ == "PrivateRay"


def test_an_actor_keeps_its_state(runtime: Runtime) -> None:
    """An actor is one object for all calls."""
    handle = runtime.actor("list", list[str], node="node1")
    handle.call(list.append, "a")
    handle.call(list.append, "b")
    assert handle.call(list.copy).result(LIMIT_S) == ["a", "b"]


def test_calls_to_one_actor_keep_their_order(runtime: Runtime) -> None:
    """Calls run one after the other, in the order in which they were made."""
    handle = runtime.actor("list", list[int])
    for number in range(200):
        handle.call(list.append, number)
    assert handle.call(list.copy).result(LIMIT_S) == list(range(200))


def test_different_actors_run_at_the_same_time(runtime: Runtime, tmp_path: Path) -> None:
    """One actor's call, which waits for somebody to write, does not keep another one waiting."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    slow, quick = (runtime.actor(name, partial(Path, pipe)) for name in ("slow", "quick"))
    waiting = slow.call(Path.read_text)
    assert quick.call(Path.exists).result(LIMIT_S)
    assert not waiting.done()
    pipe.write_text("now")
    assert waiting.result(LIMIT_S) == "now"


def test_arguments_may_be_named(runtime: Runtime) -> None:
    """What is given by name arrives under its name."""
    handle = runtime.actor("parser", argparse.ArgumentParser)
    assert handle.call(argparse.ArgumentParser.parse_args, args=[]).result(LIMIT_S) == argparse.Namespace()


def test_a_task_answers(runtime: Runtime) -> None:
    """A submitted function runs with its arguments."""
    assert runtime.submit(operator.add, 40, 2).result(LIMIT_S) == 42


def test_a_future_may_be_an_argument(runtime: Runtime) -> None:
    """The result of one call goes into the next one without passing through the caller."""
    numbers = runtime.submit(np.arange, 1_000_000)
    total = runtime.submit(np.sum, numbers)
    handle = runtime.actor("list", list[Any])
    handle.call(list.append, total)
    assert int(handle.call(list.pop).result(LIMIT_S)) == 499_999_500_000


def test_a_shared_value_serves_many_calls(runtime: Runtime) -> None:
    """What is shared once is what every call gets."""
    shared = runtime.share(np.arange(1_000))
    assert [int(runtime.submit(np.take, shared, place).result(LIMIT_S)) for place in (0, 17, 999)] == [0, 17, 999]


def test_arrow_tables_pass_through(runtime: Runtime) -> None:
    """Batches of rows arrive as they were sent."""
    table = pa.table({"x": pa.array([1, None, 3]), "t": pa.array([b"a", b"\xff", None])})
    assert runtime.submit(operator.itemgetter(slice(None)), table).result(LIMIT_S) == table


def test_a_user_error_comes_back_as_it_was(runtime: Runtime) -> None:
    """What and remedy survive the way from the work to the caller."""
    with pytest.raises(UserError, match="bogus") as caught:
        runtime.submit(parse_type, "bogus").result(LIMIT_S)
    assert type(caught.value) is UserError
    assert caught.value.remedy


def test_a_cluster_error_stays_retryable(runtime: Runtime) -> None:
    """An error's attributes survive too."""
    with pytest.raises(ClusterError) as caught:
        runtime.submit(connect, Endpoint(socket="/nowhere.sock")).result(LIMIT_S)
    assert caught.value.retryable


def test_any_other_error_comes_back_as_it_was(runtime: Runtime) -> None:
    """An error of the standard library keeps its type."""
    failed: Any = runtime.submit(operator.truediv, 1, 0)
    with pytest.raises(ZeroDivisionError):
        runtime.actor("list", list[Any]).call(list.append, failed).result(LIMIT_S)
    with pytest.raises(IndexError):
        runtime.actor("list", list[Any]).call(list.pop).result(LIMIT_S)


def test_an_error_leaves_the_actor_as_it_is(runtime: Runtime) -> None:
    """After a call that failed, the next one finds the same object."""
    handle = runtime.actor("list", partial(list[int], [1]))
    with pytest.raises(ValueError, match="not in list"):
        handle.call(list.remove, 2).result(LIMIT_S)
    assert handle.call(list.copy).result(LIMIT_S) == [1]


def test_an_error_of_the_factory_comes_out_of_every_call(runtime: Runtime) -> None:
    """An actor that could not be made says why at each call."""
    handle = runtime.actor("broken", partial(parse_type, "bogus"))
    for _ in range(2):
        with pytest.raises(UserError, match="bogus"):
            handle.call(SqlType.__repr__).result(LIMIT_S)


def test_an_unknown_node_is_refused(runtime: Runtime) -> None:
    """An actor lives only beside a node that the runtime was opened for."""
    with pytest.raises(UserError, match="no node"):
        runtime.actor("a", list, node="node3")


def test_a_cancelled_call_is_not_carried_out(runtime: Runtime) -> None:
    """Who cancels a call is told whether that was in time: the call then has not happened, else it has."""
    handle = runtime.actor("queue", partial(queue.Queue[int], 0))
    with pytest.raises(queue.Empty):
        handle.call(queue.Queue.get, True, 0.01).result(LIMIT_S)
    handle.call(queue.Queue.get, True, 0.3)
    put = handle.call(queue.Queue.put, 1)
    was_cancelled = put.cancel()
    assert handle.call(queue.Queue.qsize).result(LIMIT_S) == (0 if was_cancelled else 1)


def test_a_dead_actor_is_a_retryable_cluster_error(runtime: Runtime) -> None:
    """When an actor ends itself, that call and all later ones fail with an error that invites another try."""
    handle = runtime.actor("parser", argparse.ArgumentParser, node="node2")
    assert not handle.is_dead
    for _ in range(2):
        with pytest.raises(ClusterError, match="actor parser on node2 died") as caught:
            handle.call(argparse.ArgumentParser.exit, 1).result(LIMIT_S)
        assert caught.value.retryable
        assert handle.is_dead
    other = runtime.actor("list", list[int], node="node2")
    assert other.call(list.copy).result(LIMIT_S) == []


def test_a_killed_process_is_a_retryable_cluster_error(runtime: Runtime, is_ray: bool) -> None:
    """When an actor's process is killed, its calls fail with an error that invites another try."""
    if not is_ray:
        pytest.skip("inline actors live in this process")
    handle = runtime.actor("self", psutil.Process, node="node2")
    assert handle.call(psutil.Process.as_dict, ["pid"]).result(LIMIT_S) != {"pid": os.getpid()}
    with pytest.raises(ClusterError, match="actor self on node2 died") as caught:
        handle.call(psutil.Process.kill).result(LIMIT_S)
    assert caught.value.retryable
    assert handle.is_dead


def test_ray_listens_on_loopback_only(runtime: Runtime, is_ray: bool) -> None:
    """Nothing of a private Ray can be reached from another machine."""
    if not is_ray:
        pytest.skip("inline opens no port")
    runtime.submit(operator.add, 1, 2).result(LIMIT_S)
    listening = set[str]()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # one that has ended meanwhile listens nowhere
            found = process.net_connections(kind="inet")
            listening |= {one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN}
    assert listening
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_the_folder_of_ray_is_private(runtime: Runtime, is_ray: bool) -> None:
    """Nobody else can reach the sockets of a private Ray."""
    if not is_ray:
        pytest.skip("inline has no folder")
    assert Path(runtime._folder).stat().st_mode & 0o777 == 0o700  # type: ignore[attr-defined]


def test_close_of_ray_leaves_no_process_no_folder_and_no_waiting_caller(
    runtime: Runtime, is_ray: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """After close everything is gone, calls that nobody will answer are cancelled, and nothing was printed."""
    if not is_ray:
        pytest.skip("the inline runtime's close is a unit test")
    handle = runtime.actor("a", list[int])
    handle.call(list.copy).result(LIMIT_S)
    unanswered = runtime.submit(time.sleep, 600)
    folder = Path(runtime._folder)  # type: ignore[attr-defined]
    assert folder.exists()
    runtime.close()
    with pytest.raises(CancelledError):
        unanswered.result(LIMIT_S)
    with pytest.raises(Bug, match="closed"):
        handle.call(list.copy)
    with pytest.raises(Bug, match="closed"):
        runtime.submit(time.time)
    with pytest.raises(Bug, match="closed"):
        runtime.actor("b", list[int])
    left = [process for process in psutil.process_iter(["cmdline"]) if str(folder) in str(process.info["cmdline"])]
    assert left == []
    assert not folder.exists()
    assert capfd.readouterr() == ("", "")


DRIVER = """
import sys, time
from skyshard.runtime import open_runtime
runtime = open_runtime("ray", ["node1"])
runtime.actor("list", list, node="node1").call(list.copy).result()
runtime.submit(time.sleep, 600)
print(runtime._folder, flush=True)
time.sleep(600)
"""


def test_a_killed_driver_leaves_nothing_of_ray() -> None:
    """After kill -9 of the process that opened Ray, its workers, agents and folder are gone within moments."""
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True)
    with driver:
        assert driver.stdout is not None
        folder = Path(driver.stdout.readline().strip())
        started = psutil.Process(driver.pid).children(recursive=True)
        driver.kill()
    assert len(started) > 4
    psutil.wait_procs(started, timeout=LIMIT_S)
    assert [process for process in started if process.is_running() and process.status() != "zombie"] == []
    assert wait_until(lambda: not folder.exists())


TWICE = """
import os, pathlib, psutil, stat
from skyshard.runtime import open_runtime
for is_second in (False, True):
    with open_runtime("ray", ["node1"], cpus=1) as runtime:
        token = pathlib.Path(runtime.submit(os.getenv, "RAY_AUTH_TOKEN_PATH").result())
        print(oct(stat.S_IMODE(token.stat().st_mode)))
        assert str(token).startswith(runtime._folder)
        started = [one for one in psutil.Process().children(recursive=True) if "agent" in " ".join(one.cmdline())]
        for agent in [one for one in started if one.parent().name() == "raylet"]:
            print(os.path.basename(next(word for word in agent.cmdline() if word.endswith(".py"))))
    assert "RAY_AUTH_TOKEN_PATH" not in os.environ
    foreign = pathlib.Path.home() / ".ray" / "auth_token"
    if is_second:
        assert [path.read_text() for path in pathlib.Path.home().rglob("*") if path.is_file()] == ["0" * 64]
    else:
        assert not foreign.parent.exists()
        foreign.parent.mkdir()
        foreign.write_text("0" * 64)
"""


def test_ray_leaves_the_home_alone_and_starts_no_agents(tmp_path: Path) -> None:
    """A private Ray, opened twice, writes nothing into the user's home and takes no token from there; beside its raylet
    something light stands in for each of the two agents."""
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", TWICE], env=environment, capture_output=True, text=True, check=False)
    each = ["0o600", "stand_in.py", "stand_in.py"]
    assert (done.stdout.split(), done.stderr, done.returncode) == (each * 2, "", 0)


def test_a_job_of_rays_keeps_rays_agents() -> None:
    """Who submits a command to a Ray may have packages brought for it, which an agent does: here a variable."""
    job = json.dumps({"runtime_env": {"env_vars": {"BROUGHT": "along"}}})
    program = """
import os
from skyshard.runtime import open_runtime
with open_runtime("ray", cpus=1) as runtime:
    print(runtime.submit(os.getenv, "BROUGHT").result())
"""
    environment = {**os.environ, "RAY_JOB_CONFIG_JSON_ENV_VAR": job}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("along\n", 0), done.stderr


def wait_until(is_so: Callable[[], bool], timeout_s: float = LIMIT_S) -> bool:
    deadline = time.monotonic() + timeout_s
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_so()
