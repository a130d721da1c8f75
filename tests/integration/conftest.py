"""A sky of odd values behind a MySQL door, and a client on each side; modules that need others define their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from tests.support.open_door import OpenDoor, WireClient, open_door
from tests.support.sky_services import sky_services
from tests.support.trouble_sky import DATABASE, Sky, build_sky

from skyshard.cluster.door_server import DoorServer
from skyshard.cluster.private_cluster import PrivateCluster


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster) -> Iterator[Sky]:
    made = build_sky(private_cluster)
    yield made
    made.close()


@pytest.fixture(scope="module")
def door(sky: Sky, private_cluster: PrivateCluster) -> Iterator[OpenDoor]:
    with open_door(sky_services(sky, DoorServer(private_cluster.folder))) as opened:
        yield opened


@pytest.fixture
def asked(door: OpenDoor) -> Iterator[WireClient]:
    with contextlib.closing(WireClient(host=door.host, port=door.port, user="me", database=DATABASE)) as client:
        yield client


@pytest.fixture
def native(sky: Sky, private_cluster: PrivateCluster) -> Iterator[WireClient]:
    """The same client on the server that has all rows."""
    place = private_cluster.endpoint("mono").socket
    with contextlib.closing(WireClient(unix_socket=place, user="skyshard_reader", database=DATABASE)) as client:
        client.ask("SET sql_mode = ''")
        yield client
