"""Databases behind a SQLAlchemy URL: a late statement is stopped there, and the next one is answered."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.bench.drive.driver import Timeout, run_within
from skyshard.bench.targets.url_target import UrlTarget

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c"


def check_stop(target: UrlTarget) -> None:
    """One late statement among others: it ends, theirs are answered, and so is the next."""
    answered: list[int] = []

    def ask() -> None:
        answered.extend(run_within(target, "SELECT 1", "", 30).rows for _ in range(20))

    others = [threading.Thread(target=ask) for _ in range(2)]
    for one in others:
        one.start()
    with pytest.raises(Timeout, match=r"no answer within 0\.3 s, stopped"):
        run_within(target, ENDLESS, "", 0.3)
    for one in others:
        one.join()
    assert answered == [1] * 40
    assert run_within(target, "SELECT 1", "", 30).rows == 1


def test_a_late_query_of_sqlite_is_stopped(tmp_path: Path) -> None:
    """The connection of the late statement is interrupted."""
    target = UrlTarget(f"sqlite:///{tmp_path / 'x.db'}")
    check_stop(target)
    target.close()


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a private PostgreSQL server on a socket; a database superuser may not be root."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("the driver psycopg is not installed")
    if shutil.which("initdb") is None or shutil.which("postgres") is None:
        pytest.skip("PostgreSQL's initdb and postgres are not on the path")
    folder = Path(tempfile.mkdtemp(prefix="skyshard-pg-", dir="/tmp"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    quiet: dict[str, Any] = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        made = ["initdb", "-D", "data", "-U", "reader", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8"]
        subprocess.run(made, check=True, **quiet)
        server = subprocess.Popen(["postgres", "-D", "data", "-k", str(folder), "-h", "", "-F"], **quiet)
        try:
            deadline = time.monotonic() + 100
            while not (folder / ".s.PGSQL.5432").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            yield f"postgresql+psycopg://reader@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)  # fast: it does not wait for sessions
            server.wait(100)
    finally:
        shutil.rmtree(folder)


def test_a_late_query_of_postgresql_is_stopped(postgres: str) -> None:
    """``pg_cancel_backend`` ends it: the server has no statement of ours left."""
    target = UrlTarget(postgres)
    check_stop(target)
    left = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'WITH RECURSIVE%'"
    assert target.run(left, "").rows == 0
    assert target.name == "postgresql"
    target.close()


def test_answers_of_postgresql_have_their_types(postgres: str) -> None:
    """Numbers, text, NULL and a literal with colons; an error is one line, and the next statement is answered."""
    target = UrlTarget(postgres)
    answer = target.run("SELECT 1, 2.5::float8, 'x:y', NULL, time '12:30:00', sum(v) FROM (VALUES (1), (2)) t(v)", "")
    assert [column[0].as_py() for column in answer.table.columns][:4] == [1, 2.5, "x:y", None]
    assert answer.table.column(5)[0].as_py() == 3
    with pytest.raises(ClusterError, match="does not exist") as caught:
        target.run("SELECT 1 FROM nowhere", "")
    assert "\n" not in str(caught.value)
    assert target.run("SELECT 1", "").rows == 1
    target.close()
