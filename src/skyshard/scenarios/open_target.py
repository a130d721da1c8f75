"""Opens targets by their names in commands."""

from __future__ import annotations

from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.bench.target import Target
from skyshard.scenarios.testbed_target import OwnedTarget, TestbedTarget
from skyshard.testbed import Testbed


def open_target(spec: str, cluster: Path, watcher: Watcher = unwatched) -> Target:
    """Open ``czar``, ``mono``, ``duckdb:FOLDER``, ``lsdb:FOLDER`` or a SQLAlchemy URL.

    Raises:
        UserError: no such kind of target.
    """
    if spec in ("czar", "mono"):
        return OwnedTarget(TestbedTarget(Testbed(cluster), "mono" if spec == "mono" else "czar"))
    kind, _, rest = spec.partition(":")
    if kind == "duckdb" and rest:
        from skyshard.bench.targets.duckdb_target import DuckDBTarget

        return DuckDBTarget(Path(rest))
    if kind == "lsdb" and rest:
        from skyshard.bench.targets.lsdb_target import open_lsdb

        return open_lsdb(rest, watcher)
    if "://" in spec:
        from skyshard.bench.targets.url_target import UrlTarget

        return UrlTarget(spec)
    raise UserError(f"no target '{spec}'", remedy="name czar, mono, duckdb:FOLDER, lsdb:FOLDER or a SQLAlchemy URL")
