"""Moves blocks of files from host to host: read there, written here, a few at a time, never through a third host."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from skyshard.basics.errors import ClusterError
from skyshard.ingest.on_nodes.bounded_futures import about
from skyshard.ingest.on_nodes.carried_slices import Block, whole_files
from skyshard.node.host_files import HostFiles
from skyshard.runtime.base import Handle, Runtime

UNDER_WAY = 2
"""Blocks on the way for one order."""
FROM_HERE = 3
"""Blocks on the way from this host, to all nodes together: they are in the memory of Ray's head."""
_ROOM = BoundedSemaphore(FROM_HERE)
HERE = HostFiles()
"""The files of this process's host."""


@dataclass(frozen=True, slots=True)
class AwayHost:
    """The host of a node whose files this process does not see."""

    files: Handle[HostFiles]
    staging: Path
    """Where it keeps what an ingest has under way."""
    data: Path
    """The data folder of its server."""


class BlockMover:
    """Between the hosts of nodes that are away, and the host of this process, whose name is empty."""

    def __init__(self, runtime: Runtime, away: Mapping[str, AwayHost]) -> None:
        self._runtime = runtime
        self._away = away

    def move(self, blocks: Iterable[Block], to: str) -> None:
        """Have all blocks in their places on a host.

        Raises:
            ClusterError: a host that does not answer, or a file that cannot be read or written; a host is named.
        """
        running: deque[tuple[Block, str, Future[Any]]] = deque()
        for block in blocks:
            if len(running) == UNDER_WAY:
                self._finish(*running.popleft())
            running.append((block, to, self._begin(block, to)))
        while running:
            self._finish(*running.popleft())

    def copy(self, files: Mapping[str, tuple[str, int]], host: str) -> None:
        """Copy whole files of a host to this one: path here → path there, and bytes; old ones of the name go first."""
        if host and files:
            HERE.remove(list(files))
            self.move(whole_files(host, files), "")

    def spread(self, path: str, size: int, to: Mapping[str, str]) -> None:
        """Copy a file of this host to others: host → path there. Each block is read once.

        Raises:
            ClusterError: as of ``move``.
        """
        for host, target in to.items():
            self._away[host].files.call(HostFiles.remove, [target])
        running: deque[tuple[Block, str, Future[Any]]] = deque()
        for block in whole_files("", {"": (path, size)}):
            while len(running) >= UNDER_WAY * len(to):
                self._finish(*running.popleft())
            value: Any = self._runtime.share(HERE.read(block.parts))
            for host, target in to.items():
                places = tuple(replace(place, path=target) for place in block.places)
                running.append((block, host, self._away[host].files.call(HostFiles.write, places, value)))
        while running:
            self._finish(*running.popleft())

    def _begin(self, block: Block, to: str) -> Future[Any]:
        if not to:
            return self._away[block.host].files.call(HostFiles.read, block.parts)
        if not block.host:
            return self._begin_here(block, to)
        value: Any = self._away[block.host].files.call(HostFiles.read, block.parts)  # it goes from there to ``to``
        return self._away[to].files.call(HostFiles.write, block.places, value)

    def _begin_here(self, block: Block, to: str) -> Future[Any]:
        """Have a block of this host written elsewhere; waits while there are enough on their way from here."""
        _ROOM.acquire()
        try:
            value: Any = self._runtime.share(HERE.read(block.parts))
            written = self._away[to].files.call(HostFiles.write, block.places, value)
        except BaseException:
            _ROOM.release()
            raise
        written.add_done_callback(lambda _: _ROOM.release())
        return written

    def _finish(self, block: Block, to: str, future: Future[Any]) -> None:
        try:
            found = future.result()
        except ClusterError as error:
            raise self._blamed(block.host, to, error) from error
        if not to:
            HERE.write(block.places, found)

    def _blamed(self, source: str, to: str, error: ClusterError) -> ClusterError:
        """The error with the name of the host that is behind it: the one that does not answer, else the reader."""
        for host in filter(None, (source, to)):
            try:
                self._away[host].files.call(HostFiles.states, []).result()
            except ClusterError:
                return about(host, error)
        return about(source or to, error)
