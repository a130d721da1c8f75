"""Opens targets by their names in commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.bench.target import Target
from skyshard.bench.targets.adql_form import Positions
from skyshard.bench.targets.door_access import ANYBODY, DoorAccess, DoorAddress, door_address
from skyshard.scenarios.testbed_target import OWN, OwnedTarget, TestbedTarget
from skyshard.testbed import Testbed

TARGETS = (
    "czar, czar:rows, czar:columns, czar:auto, mono, duckdb:FOLDER, lsdb:FOLDER, mysql://HOST:PORT/DB, tap:URL, "
    "qserv:URL or a SQLAlchemy URL"
)


@dataclass(frozen=True, slots=True)
class AskedOf:
    """What targets outside of the testbed need to know."""

    access: DoorAccess = ANYBODY
    """How front doors are reached."""
    positions: Positions = field(default_factory=dict)
    """The workload's directors and their columns of position."""


NOTHING_ASKED = AskedOf()


def open_target(spec: str, cluster: Path, watcher: Watcher = unwatched, asked: AskedOf = NOTHING_ASKED) -> Target:
    """Open one of ``TARGETS``.

    Raises:
        UserError: no such kind of target; or a door refuses who asks.
        ClusterError: no door answers there.
    """
    if spec in OWN:
        return OwnedTarget(TestbedTarget(Testbed(cluster), *OWN[spec]))
    kind, _, rest = spec.partition(":")
    if kind == "duckdb" and rest:
        from skyshard.bench.targets.duckdb_target import DuckDBTarget

        return DuckDBTarget(Path(rest))
    if kind == "lsdb" and rest:
        from skyshard.bench.targets.lsdb_target import open_lsdb

        return open_lsdb(rest, watcher)
    if (address := door_address(spec)) is not None:
        return _open_door(address, asked)
    if "://" in spec:
        from skyshard.bench.targets.url_target import UrlTarget

        return UrlTarget(spec)
    raise UserError(f"no target '{spec}'", remedy=f"name {TARGETS}")


def _open_door(address: DoorAddress, asked: AskedOf) -> Target:
    if address.kind == "mysql":
        from skyshard.bench.targets.mysql_target import MysqlTarget

        return MysqlTarget(address, asked.access)
    if address.kind == "tap":
        from skyshard.bench.targets.tap_target import TapTarget

        return TapTarget(address, asked.access, asked.positions)
    from skyshard.bench.targets.qserv_target import QservTarget

    return QservTarget(address, asked.access)
