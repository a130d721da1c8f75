"""Keeps Ray off the standard streams of a process, and from starting processes that nobody uses."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import ray

from skyshard.runtime.on_ray import stand_in

LOGGER = logging.getLogger(__name__)
UNUSED = ("start_api_server", "start_monitor")
"""What starts the processes of dashboard and autoscaler, of a head."""
BRINGS_PACKAGES = ("RAY_JOB_CONFIG_JSON_ENV_VAR", "RAY_RUNTIME_ENV_HOOK")
"""Set where this process is itself a job that somebody submitted to a Ray, maybe with packages of its own."""
AGENTS = {
    "PROCESS_TYPE_DASHBOARD_AGENT": {
        "METRICS_AGENT_PORT_NAME": -1,
        "METRICS_EXPORT_PORT_NAME": -1,
        "DASHBOARD_AGENT_LISTEN_PORT_NAME": -1,
    },
    "PROCESS_TYPE_RUNTIME_ENV_AGENT": {"RUNTIME_ENV_AGENT_PORT_NAME": 1},
}
"""Agents by Ray's constants, with the ports that their stand-ins report: none, or one at which nothing listens. They
serve the dashboard, metrics, and packages that work brings along (``runtime_env``)."""
COMMAND = "_build_python_executable_command_memory_profileable"
"""Ray's function that begins the command line of a process in Python, of which the kind of process is an argument."""
ANY_NODE = "ab" * 28


def quieten(log_to_driver: bool = False) -> None:
    """What no option of Ray covers: raylet messages off stdout, no processes for dashboard, autoscaler and logs.

    Those that are not used take 40 % of the start-up time on two cores, and of the processor time of what is left the
    agents beside a raylet take a third. Where a Ray release has no such names, nothing is changed.
    """
    if not log_to_driver:
        ray._private.worker.print_to_stdstream = _log
        _leave_out("start_log_monitor")
    _leave_out(*UNUSED)
    if not any(name in os.environ for name in BRINGS_PACKAGES):
        _stand_in_for_agents()


def before_head(*_: Any) -> None:
    """``ray start`` calls it before it starts anything (``ray_commands``): no processes for dashboard and autoscaler.

    Without one its ``--include-dashboard=false`` starts a process all the same, and waits for it.
    """
    _leave_out(*UNUSED)


def _leave_out(*names: str) -> None:
    node = ray._private.node.Node
    for name in names:
        if hasattr(node, name):
            setattr(node, name, _start_nothing)


def _start_nothing(*_: Any, **__: Any) -> None:
    pass


def _stand_in_for_agents() -> None:
    """Have a raylet start something light instead of its agents, which import Ray and a web server."""
    services = ray._private.services
    as_ray_does = getattr(services, COMMAND, None)
    ports = _ports()
    if not ports or as_ray_does is None or hasattr(as_ray_does, "stands_in"):
        return

    def command(component: str, *args: Any, **kwargs: Any) -> list[str]:
        if component in ports:
            return [sys.executable, "-I", "-S", stand_in.__file__, *ports[component]]
        asked: list[str] = as_ray_does(component, *args, **kwargs)
        return asked

    command.stands_in = True  # type: ignore[attr-defined]
    setattr(services, COMMAND, command)


def _ports() -> dict[str, list[str]]:
    """Kind of process → what its stand-in is told; empty where this Ray does not name files of ports as we know it."""
    try:
        known = {
            getattr(ray._private.ray_constants, kind): {
                getattr(ray._raylet, name): port for name, port in ports.items()
            }
            for kind, ports in AGENTS.items()
        }
        names = [name for ports in known.values() for name in ports]
        if any(ray._raylet.get_port_filename(ANY_NODE, name) != stand_in.port_file(name, ANY_NODE) for name in names):
            return {}
    except AttributeError:
        return {}
    return {kind: [f"{name}={port}" for name, port in ports.items()] for kind, ports in known.items()}


def _log(data: dict[str, Any], **_: Any) -> None:
    for line in data["lines"]:
        LOGGER.debug("%s", line)
