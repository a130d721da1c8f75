"""Jobs of a cluster: part of the testbed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import skyshard.replicate
from skyshard.basics.errors import ClusterError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.registry.stored.lifecycle import DatabaseState
from skyshard.testbed.detached import run_apart, start_detached
from skyshard.wiring import Wiring


class Jobs:
    """What moves chunks of a running cluster: begun, gone on with, paused, cancelled, by any process."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def begin(self, plan: skyshard.replicate.JobPlan, *, rate_bytes_s: float = 50e6, grace_s: float = 3600.0) -> int:
        """Record a job for a plan; its number, or 0 where there is nothing to do. ``run`` works on it.

        Args:
            rate_bytes_s: bytes a second that each node gives and gets at most, on average; 0 for as fast as it can.
            grace_s: so long tables stay where chunks were, for queries that began before.

        Raises:
            UserError: another job is open.
            ClusterError: a node has no room for what is to come to it.
        """
        place = self._wiring.replica_place()
        return skyshard.replicate.begin_job(place, plan, rate_bytes_s=rate_bytes_s, grace_s=grace_s)

    def run(self, number: int, *, watcher: Watcher = unwatched) -> skyshard.replicate.JobReport:
        """Go on with a job until it ends, or somebody pauses or cancels it.

        Raises:
            UserError: there is none of this number, or it has ended.
            ClusterError: another process works on a job (retryable).
        """
        with self._recorded(number):
            skyshard.replicate.run_job(self._wiring.replica_place(), number, watcher=watcher)
        self._image_moved(number)
        return self.show(number)

    def _image_moved(self, number: int) -> None:
        """Column images at the new place of chunks, where layouts ask for some; what is in use is left to a repair."""
        registry, place = self._wiring.registry, self._wiring.replica_place()
        families = registry.jobs.families(number)
        for row in registry.life.rows():
            layout = registry.databases.layout(row.stored) if row.family in families else None
            if layout is not None and layout.has_images and row.state is DatabaseState.PUBLISHED:
                with suppress(ClusterError):
                    skyshard.replicate.mend_images(place, row.stored)

    @contextmanager
    def _recorded(self, number: int) -> Iterator[None]:
        """At the end nodes keep records of where chunks are, which may have moved."""
        families = self._wiring.registry.jobs.families(number)
        try:
            yield
        finally:
            rows = self._wiring.registry.life.rows()
            self._wiring.keep_records(*(row.stored for row in rows if row.family in families), anew=True)

    def start(self, number: int) -> None:
        """Have a process of its own work on a job, which outlives this one."""
        start_detached("run-job", str(number), "--cluster", str(self._wiring.cluster.folder))

    def run_apart(self, number: int) -> skyshard.replicate.JobReport:
        """Have a process of its own work on a job, and wait for it; Ctrl-C reaches both, and pauses the job.

        Raises:
            ClusterError: that process failed; the job stays as it is.
        """
        run_apart("run-job", str(number), "--cluster", str(self._wiring.cluster.folder))
        return self.show(number)

    def list(self) -> list[skyshard.replicate.JobReport]:
        """All jobs, the newest first, without the steps that were not taken."""
        return skyshard.replicate.read_jobs(self._wiring.registry)

    def show(self, number: int) -> skyshard.replicate.JobReport:
        """One job, and the first steps that were not taken.

        Raises:
            UserError: there is none of this number.
        """
        return skyshard.replicate.read_job(self._wiring.registry, number)

    def pause(self, number: int) -> skyshard.replicate.JobReport:
        """Have a job stop, for ``resume`` to go on with.

        Raises:
            UserError: there is none of this number, or it has ended.
        """
        return skyshard.replicate.pause_job(self._wiring.registry, number)

    def resume(self, number: int) -> None:
        """Let a paused job go on; ``run`` works on it.

        Raises:
            UserError: there is none of this number, or it has ended.
        """
        skyshard.replicate.resume_job(self._wiring.registry, number)

    def cancel(self, number: int) -> skyshard.replicate.JobReport:
        """End a job before it is done; chunks that have moved stay where they are.

        Raises:
            UserError: there is none of this number, or it has ended.
        """
        with self._recorded(number):
            return skyshard.replicate.cancel_job(self._wiring.replica_place(), number)
