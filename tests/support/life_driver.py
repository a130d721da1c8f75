"""A process that drops or renames a database, or moves an alias, and kills itself with -9 at the N-th instant.

``python -m tests.support.life_driver CLUSTER N drop|rename|alias NAME [NAME]``; N = 0 kills nothing. Instants are
before and after each statement that changes something on any server, before each commit, and before each folder goes.
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
from skyshard.releases.life import servers
from skyshard.testbed import Testbed

CHANGES = re.compile(r"\s*(CREATE|DROP|RENAME|INSERT|UPDATE|DELETE|REPLACE|ALTER)\b")


def main(cluster: str, at: str, what: str, *names: str) -> None:
    with Testbed(cluster) as testbed:
        _ = testbed.registry.life, testbed.registry.transactions, testbed.wiring.site()
        _arm(Killer(int(at)))
        print("begins", flush=True)
        if what == "drop":
            testbed.drop(*names)
        elif what == "rename":
            testbed.rename(*names)
        else:
            testbed.alias(*names)


def _arm(killer: Killer) -> None:
    is_change: Callable[..., bool] = lambda _, sql, *rest: bool(CHANGES.match(sql)) and "skyshard_key" not in sql  # noqa: E731
    Connection.execute = killer.around(Connection.execute, is_change)  # type: ignore[method-assign]
    sa.event.listen(sa.Engine, "before_cursor_execute", lambda *args: killer.step() if CHANGES.match(args[2]) else None)
    sa.event.listen(sa.Engine, "commit", lambda connection: killer.step())
    vars(servers)["shutil"] = _Removing(killer)


class _Removing:
    """``shutil`` as the sweep uses it: each folder is an instant."""

    def __init__(self, killer: Killer) -> None:
        self._killer = killer

    def rmtree(self, *args: Any, **options: Any) -> None:
        self._killer.step()
        shutil.rmtree(*args, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
