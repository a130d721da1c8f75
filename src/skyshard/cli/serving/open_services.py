"""All services of a testbed, for the doors that settings ask for."""

from __future__ import annotations

import skyshard
from skyshard.cli.serving.ingests import TestbedIngests
from skyshard.cli.serving.measured import TestbedHealth, TestbedMeasures
from skyshard.cli.serving.overview import TestbedOverview
from skyshard.cli.serving.query_services import TestbedCatalogs, TestbedQueries, TestbedSubmissions
from skyshard.cli.serving.tap_services import tap_services
from skyshard.cli.serving.token_access import TokenAccess
from skyshard.cli.serving.user_tables import TestbedUserTables
from skyshard.cluster.door_server import DoorServer
from skyshard.serve.access import OpenAccess
from skyshard.serve.serve_file import ServeFile
from skyshard.serve.services import Services


def open_services(testbed: skyshard.Testbed, settings: ServeFile) -> Services:
    """What doors ask; nothing is asked yet."""
    quota = settings.quota.as_quota()
    access = OpenAccess(quota) if settings.open else TokenAccess(testbed, quota)
    return Services(
        TestbedQueries(testbed), TestbedSubmissions(testbed), TestbedCatalogs(testbed), access, TestbedHealth(testbed),
        TestbedMeasures(testbed), tap_services(testbed), TestbedUserTables(testbed), TestbedIngests(testbed),
        DoorServer(testbed.cluster.folder), TestbedOverview(testbed),
    )  # fmt: skip
