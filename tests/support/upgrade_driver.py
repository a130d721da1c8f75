"""Makes or upgrades a registry in a process of its own, which is killed with -9 before or after the N-th change.

``main("make" or "upgrade", CLUSTER, N)``; N = 0 kills nothing.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Connection
from skyshard.registry.registry import Registry
from skyshard.registry.schema.migrations import to_2
from skyshard.registry.schema.upgrade import upgrade

CHANGES = re.compile(r"\s*(CREATE|DROP|RENAME|INSERT|UPDATE|REPLACE|ALTER)\b")


class Killer:
    """Counts changes; each counts twice, once before and once after it."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Any], changes: Callable[..., bool]) -> Callable[..., Any]:
        def stepped(*args: Any, **options: Any) -> Any:
            if not changes(*args):
                return call(*args, **options)
            self.step()
            answer = call(*args, **options)
            self.step()
            return answer

        return stepped


def main(what: str, folder: str, at: int) -> None:
    killer = Killer(at)
    is_change: Callable[..., bool] = lambda _, sql, *rest: bool(CHANGES.match(sql)) and "skyshard_key" not in sql  # noqa: E731
    Connection.execute = killer.around(Connection.execute, is_change)  # type: ignore[method-assign]
    to_2.write_atomically = killer.around(to_2.write_atomically, lambda *args: True)  # type: ignore[attr-defined]
    sa.event.listen(sa.Engine, "before_cursor_execute", lambda *args: killer.step() if CHANGES.match(args[2]) else None)
    cluster = PrivateCluster(folder)
    if what == "make":
        Registry(cluster.endpoint(CZAR_NAME), Path(folder)).prepare()
    else:
        upgrade(cluster.endpoint(CZAR_NAME), Path(folder), report=lambda line: None)
