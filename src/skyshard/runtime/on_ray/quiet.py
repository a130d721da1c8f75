"""Keeps Ray off the standard streams of a process, and from starting processes that nobody uses."""

from __future__ import annotations

import logging
from typing import Any

import ray

LOGGER = logging.getLogger(__name__)
UNUSED = ("start_api_server", "start_monitor")
"""What starts the processes of dashboard and autoscaler, of a head."""


def quieten(log_to_driver: bool = False) -> None:
    """What no option of Ray covers: raylet messages off stdout, no processes for dashboard, autoscaler and logs.

    The processes that are not used take 40 % of the start-up time on two cores. Where a Ray release has no such names,
    nothing is changed.
    """
    if not log_to_driver:
        ray._private.worker.print_to_stdstream = _log
        _leave_out("start_log_monitor")
    _leave_out(*UNUSED)


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


def _log(data: dict[str, Any], **_: Any) -> None:
    for line in data["lines"]:
        LOGGER.debug("%s", line)
