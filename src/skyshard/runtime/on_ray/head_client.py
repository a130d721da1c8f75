"""The head of a running Ray, asked without joining it: whether it is there, of which version, with which hosts."""

from __future__ import annotations

import socket
import sys

import ray
from ray._common.usage.usage_lib import get_cluster_metadata
from ray._private.services import find_node_ids
from ray.core.generated.gcs_pb2 import GcsNodeInfo
from ray.exceptions import AuthenticationError, RayError

from skyshard.basics.errors import ClusterError, UserError
from skyshard.runtime.driver_messages import Members
from skyshard.runtime.on_ray.calls import first_line
from skyshard.runtime.ray_address import RayAddress
from skyshard.runtime.ray_settings import CONNECT_TIMEOUT_S, resource_of

ANSWER_TIMEOUT_S = 5.0


class HeadClient:
    """A session with the head at an address; opening one takes seconds at most."""

    def __init__(self, address: RayAddress) -> None:
        """Open it.

        Raises:
            ClusterError: nothing listens there, or what listens does not take our token or gives no answer.
            UserError: it is another version of Ray or Python than this process has.
        """
        self._address = address
        self._where = f"the Ray head at {address}"
        self._require_listening()
        try:
            self._client = ray._raylet.GcsClient(address=str(address))
            version = get_cluster_metadata(self._client)
        except AuthenticationError as error:
            raise ClusterError(
                f"{self._where} does not take the token in {address.token}",
                remedy="give every host of the cluster the same token file",
            ) from error
        except (RayError, RuntimeError, OSError) as error:
            raise self._failed(error) from error
        self._require_same_version(version or {})

    def members(self, nodes: frozenset[str]) -> Members:
        """Which of these nodes belong to it now. ClusterError when it does not answer."""
        alive = self._alive()
        hosts = {info.node_id.hex(): dict(info.resources_total) for info in alive.values()}
        found = {node: host for node in nodes for host, has in hosts.items() if has.get(resource_of(node), 0) > 0}
        return Members(found, int(sum(has.get("CPU", 0) for has in hosts.values())))

    def require_raylet_here(self) -> None:
        """ClusterError unless this host belongs to it: a driver works through the Ray processes of its own host."""
        here = set(find_node_ids())
        if not any(info.node_id.hex() in here for info in self._alive().values()):
            raise ClusterError(
                f"this host does not belong to the Ray of {self._address}",
                remedy="run this command on the czar's host, beside `skyshard head run`",
            )

    def _alive(self) -> dict[object, GcsNodeInfo]:
        try:
            found: dict[object, GcsNodeInfo] = self._client.get_all_node_info(
                timeout=ANSWER_TIMEOUT_S, state_filter=GcsNodeInfo.GcsNodeState.ALIVE
            )
        except (RayError, RuntimeError, OSError) as error:
            raise self._failed(error) from error
        return found

    def _require_listening(self) -> None:
        try:
            socket.create_connection((self._address.host, self._address.port), CONNECT_TIMEOUT_S).close()
        except OSError as error:
            raise ClusterError(
                f"no Ray head answers at {self._address} ({error.strerror or error})",
                remedy="start `skyshard head run` on the czar's host",
                retryable=True,
            ) from error

    def _require_same_version(self, version: dict[str, str]) -> None:
        theirs = version.get("ray_version", ray.__version__), version.get("python_version", _python())
        if theirs != (ray.__version__, _python()):
            raise UserError(
                f"{self._where} is Ray {theirs[0]} on Python {theirs[1]}, here it is {ray.__version__} on {_python()}",
                remedy="install the same versions on every host",
            )

    def _failed(self, error: Exception) -> ClusterError:
        return ClusterError(f"{self._where} gives no answer: {first_line(error)}", remedy="try again", retryable=True)


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))
