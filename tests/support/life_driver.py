"""A process that drops or renames a database, moves an alias or makes observations, and kills itself with -9.

``python -m tests.support.life_driver CLUSTER N drop|rename|alias|obscore NAME [NAME]``; it is killed at the N-th
instant, and says how many there were if it lives; N = 0 kills nothing. Instants are before and after each statement
that changes something on any server, before each commit, before each folder goes, and around each write of rows of
observations.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from tests.support.upgrade_driver import Killer

from skyshard.db.connection import Connection
from skyshard.ingest.obscore import observation_folder
from skyshard.releases.life import servers
from skyshard.testbed import Testbed, obscore

CHANGES = re.compile(r"\s*(CREATE|DROP|RENAME|INSERT|UPDATE|DELETE|REPLACE|ALTER)\b")


def main(cluster: str, at: str, what: str, *names: str) -> None:
    with Testbed(cluster) as testbed:
        _ = testbed.registry.life, testbed.registry.transactions, testbed.wiring.site()
        killer = Killer(int(at))
        _arm(killer)
        print("begins", flush=True)
        if what == "drop":
            testbed.drop(*names)
        elif what == "rename":
            testbed.rename(*names)
        elif what == "obscore":
            testbed.obscore(names[0], into=names[1], grace_s=0)
        else:
            testbed.alias(*names)
        print(f"ends after {int(at) - killer.left}", flush=True)


def _arm(killer: Killer) -> None:
    is_change: Callable[..., bool] = lambda _, sql, *rest: bool(CHANGES.match(sql)) and "skyshard_key" not in sql  # noqa: E731
    Connection.execute = killer.around(Connection.execute, is_change)  # type: ignore[method-assign]
    sa.event.listen(sa.Engine, "before_cursor_execute", lambda *args: killer.step() if CHANGES.match(args[2]) else None)
    sa.event.listen(sa.Engine, "commit", lambda connection: killer.step())
    for module in (servers, obscore, observation_folder):
        vars(module)["shutil"] = _Removing(killer)
    for name in ("__enter__", "write", "finish"):
        call = getattr(observation_folder.ObservationFolder, name)
        setattr(observation_folder.ObservationFolder, name, killer.around(call, lambda *args: True))


class _Removing:
    """``shutil`` as modules use it: each folder is an instant."""

    def __init__(self, killer: Killer) -> None:
        self._killer = killer

    def rmtree(self, *args: Any, **options: Any) -> None:
        self._killer.step()
        shutil.rmtree(*args, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
