"""The life of jobs: made, run as submitted queries, waited for, ended, forgotten.

Rules: parameters do not change once a job has begun; a job that has lived to its destruction time is forgotten with its
rows by whoever looks at jobs next; one that runs longer than it may is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import pyarrow as pa
import pyarrow.parquet as pq

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.host.atomic_files import new_file
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import DOOR_FAILED
from skyshard.serve.access import Access, Identity, Quota, Scope
from skyshard.serve.folder_locks import FileLock
from skyshard.serve.lanes import Lanes
from skyshard.serve.open_answer import NO_GENERATION
from skyshard.serve.services import OpenAnswer, Submissions
from skyshard.serve.submitted_runs import SubmittedRuns
from skyshard.serve.tap.jobs import OF_QUERY, Job, JobFolder, Phase
from skyshard.serve.tap.parameters import TapRequest
from skyshard.serve.tap.tables_document import Limits
from skyshard.serve.tap.tap_answers import OpenRows, TapAnswers
from skyshard.serve.tap.tap_catalog import TapCatalog
from skyshard.serve.tap_services import AskedQuery
from skyshard.serve.told_errors import told
from skyshard.serve.votable.fields import Field, field_of, with_distinct_names

LOOK_S = 0.2
"""Between two looks at a job that somebody waits for."""
LOST = "the process that ran it is gone"


@dataclass(frozen=True, slots=True)
class FileRows:
    """The rows of a Parquet file, as an answer."""

    columns: tuple[str, ...]
    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    query: str = ""
    generation: int = NO_GENERATION
    form: str = ""
    chunks: int = 0

    @staticmethod
    def of(path: Path) -> OpenAnswer:
        file = pq.ParquetFile(path)
        return FileRows(tuple(file.schema_arrow.names), file.schema_arrow, file.iter_batches())


class TapJobs:
    """The jobs of a service."""

    def __init__(
        self,
        folder: JobFolder,
        submissions: Submissions,
        lanes: Lanes,
        runs: SubmittedRuns,
        answers: TapAnswers,
        limits: Limits,
        access: Access,
    ) -> None:
        self._folder = folder
        self._access = access
        self._submissions = submissions
        self._lanes = lanes
        self._runs = runs
        runs.kept_elsewhere = self._kept_here
        self._answers = answers
        self._limits = limits
        self._tasks: set[asyncio.Task[None]] = set()
        self._here: dict[str, asyncio.Task[None]] = {}
        """Jobs that run in this process, by id."""
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def alone(self, job_id: str) -> AsyncIterator[Job | None]:
        """A job that nobody else, of whatever process, changes, begins, aborts or forgets meanwhile; None where it is
        gone: of two who begin one at once the second would leave the first one's query to nobody."""
        if self._folder.find(job_id) is None:
            yield None
            return
        async with self._changing.setdefault(job_id, asyncio.Lock()), self._only_process(job_id):
            yield self._folder.find(job_id)

    @contextlib.asynccontextmanager
    async def _only_process(self, job_id: str) -> AsyncIterator[None]:
        """Inside, no other process changes a job; one that was killed does so no more."""
        changing = self._folder.changing(job_id)
        while not self._taken(changing):
            await asyncio.sleep(LOOK_S)
        try:
            yield
        finally:
            self._leave(changing)

    def _taken(self, one: FileLock) -> bool:
        with self._folder.lock:
            return one.take()

    def _leave(self, one: FileLock) -> None:
        with self._folder.lock:
            one.leave()

    def change(self, job: Job, changed: Callable[[Job], Job], documents: Mapping[str, bytes] | None = None) -> Job:
        """Write what a job becomes of what it is now, and tables that came with that; one that is gone is not made
        anew. A process that ends it and one that changes it do so one after the other."""
        with self._folder.lock:
            now = self._folder.find(job.job_id)
            after = changed(now or job)
            if now is not None and after != now:
                self._folder.save(after)
            if now is not None:
                self._folder.keep_uploads(job.job_id, documents or {})
            return after

    def save(self, job: Job, documents: Mapping[str, bytes] | None = None) -> Job:
        """Write a job's file, and tables that came with it."""
        saved = self._folder.save(job)
        self._folder.keep_uploads(job.job_id, documents or {})
        return saved

    def find(self, job_id: str, who: Identity) -> Job | None:
        """A job that somebody may see: their own; None where there is none."""
        job = self._folder.find(job_id)
        is_seen = job is not None and (job.owner == who.name or who.scope is Scope.ADMIN)
        return job if is_seen else None

    async def listed(self, who: Identity) -> list[tuple[Job, Phase]]:
        """The jobs of somebody, the newest first, with their phases; those past their time are forgotten."""
        await self.forget_old()
        return [await self.look(job) for job in self._folder.of(who.name)]

    async def forget_old(self) -> None:
        """Forget the jobs whose time of destruction has come."""
        now = time.time()
        for job in [one for one in self._folder.all() if one.destruction_s <= now]:
            await self.delete(job)

    def phases(self) -> dict[Phase, int]:
        """How many jobs are in each phase; those of their queries are asked for at once. Not for the event loop."""
        jobs = [replace(job, parameters={}, columns=[], error="") for job in self._folder.all()]
        states = self._submissions.states({job.number for job in jobs if job.number and not job.ended})
        found = Counter(self._phase(job, states) for job in jobs)
        return {phase: found[phase] for phase in Phase}

    def _phase(self, job: Job, states: Mapping[int, str]) -> Phase:
        """Of a job by the states of queries."""
        if job.ended:
            return Phase(job.ended)
        if job.is_here:
            return Phase.EXECUTING if self._folder.is_running(job.job_id) else Phase.ERROR
        if not job.number:
            return Phase.PENDING
        return OF_QUERY[states[job.number]] if job.number in states else Phase.ARCHIVED

    async def look(self, job: Job) -> tuple[Job, Phase]:
        """A job with the times and the error of its query, and its phase."""
        if job.ended:
            return job, Phase(job.ended)
        if job.is_here:
            return await self._look_here(job)
        if not job.number:
            return job, Phase.PENDING
        try:
            query = await self._lanes.call(self._submissions.status, job.number)
        except UserError:
            return job, Phase.ARCHIVED  # the history has forgotten it
        known = replace(job, begun_s=query.begun_s or 0.0, ended_s=query.ended_s or 0.0, error=query.told_error)
        return known, OF_QUERY[query.state]

    async def _look_here(self, job: Job) -> tuple[Job, Phase]:
        """A job that no submitted query answers: it ends with the process that runs it."""
        if job.job_id in self._here or self._folder.is_running(job.job_id):
            return job, Phase.EXECUTING
        job = self.change(job, _ended(ended=Phase.ERROR, error=LOST))  # it may have ended since it was read
        return job, Phase(job.ended)

    async def wait(self, job: Job, seconds: float, phase: str) -> tuple[Job, Phase]:
        """The same once its phase is another one, or at the end of some seconds; at once where it is not ``phase``."""
        deadline = time.monotonic() + seconds
        job, first = await self.look(job)
        now = first
        while now is first and first.is_active and phase in ("", first) and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_S)
            job, now = await self.look(self._folder.find(job.job_id) or job)
        return job, now

    async def run(self, job: Job) -> Job:
        """Begin a job that waits; what is wrong with its parameters is noted as its error."""
        if job.number or job.ended or job.is_here:
            return job
        try:
            quota = await self._lanes.call(self._access.quota_of, job.owner)
            limits = self._limits.within(quota)
            request = TapRequest.of(job.parameters, limits.default_rows, limits.most_rows)
            job = replace(job, most_rows=request.most_rows)
            if request.uploads:
                return await self._begin_here(job, request, quota)
            asked, catalog = await self._answers.translate(request)
            if asked.is_own:
                return await self._begin_here(job, request, quota)
            number = await self._runs.submit(asked.sql, "", job.owner, more_rows=1, limit_s=job.duration_s)
            job = replace(job, columns=_columns(asked, catalog), number=number)
        except SkyshardError as error:
            now = time.time()
            job = replace(job, ended=Phase.ERROR, error=told(error), begun_s=now, ended_s=now)
        return self._folder.save(job)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _kept_here(self, owner: str) -> int:
        """Results of somebody that no submitted query holds, those to come among them."""
        ended = ("", Phase.COMPLETED)
        return sum(job.is_here and job.owner == owner and job.ended in ended for job in self._folder.all())

    async def _begin_here(self, job: Job, request: TapRequest, quota: Quota) -> Job:
        running = self._folder.running(job.job_id)
        if not self._taken(running):
            return job  # another process has begun it
        try:
            begun = replace(job, is_here=True, begun_s=time.time())
            job = await self._lanes.call(self._runs.keep, job.owner, lambda: self._folder.save(begun))
        except BaseException:
            self._leave(running)
            raise
        task = self._here[job.job_id] = self._begin(
            self._run_here(job, request, Identity(job.owner, Scope.QUERY, quota))
        )
        task.add_done_callback(lambda _: self._left(job.job_id, running))
        return job

    def _left(self, job_id: str, running: FileLock) -> None:
        """A job that ran here runs no more."""
        self._here.pop(job_id, None)
        self._leave(running)

    async def _run_here(self, job: Job, request: TapRequest, who: Identity) -> None:
        """Answer a query that brings tables, or asks the service's own, into a file."""
        ended: dict[str, Any] = {"ended": Phase.ABORTED}
        try:
            documents = await self._lanes.call(self._folder.uploads, job.job_id)
            async with (
                asyncio.timeout(job.duration_s or None),
                self._answers.open(request, documents, who) as rows,
            ):
                await self._write(job, rows)
            ended = {"ended": Phase.COMPLETED, "columns": [asdict(field) for field in rows.fields]}
        except TimeoutError:
            ended |= {"error": f"it took longer than the {job.duration_s} s that it was given"}
        except SkyshardError as error:
            ended = {"ended": Phase.ERROR, "error": told(error)}
        except Exception as error:
            ONLY_LOGGED.tell(DOOR_FAILED, door="tap", error=f"{type(error).__name__}: {error}")
            ended = {"ended": Phase.ERROR, "error": "the server failed; its log says why"}
        finally:
            if not self._is_wanted(self.change(job, _ended(**ended)), ended["ended"]):
                self._folder.result(job.job_id).unlink(missing_ok=True)

    def _is_wanted(self, job: Job, phase: str = "") -> bool:
        """False where somebody has aborted or forgotten a job that runs here, as another process may."""
        now = self._folder.find(job.job_id)
        return now is not None and now.ended == phase

    async def _write(self, job: Job, rows: OpenRows) -> None:
        named = pa.schema([pa.field(f"c{place}", one.type) for place, one in enumerate(rows.schema)])
        with new_file(self._folder.result(job.job_id)) as draft:
            writer = await self._lanes.call(pq.ParquetWriter, draft, named)
            with contextlib.closing(writer):
                async for batch in rows.batches:
                    if not self._is_wanted(job):
                        raise UserError("the job was aborted")
                    given = pa.RecordBatch.from_arrays(batch.columns, schema=named)
                    await self._lanes.call(writer.write_batch, given)

    async def abort(self, job: Job) -> Job:
        """Stop a job that has not ended."""
        job, phase = await self.look(job)
        if job.job_id in self._here:
            self._here[job.job_id].cancel()
            await asyncio.wait([self._here[job.job_id]])
            return self._folder.find(job.job_id) or job
        if phase is Phase.PENDING or (phase.is_active and job.is_here):  # another process sees it at its next rows
            return self.change(job, _ended(ended=Phase.ABORTED))
        if phase.is_active and job.number:
            await self._lanes.call(self._submissions.cancel, job.number)
        return job

    async def delete(self, job: Job) -> None:
        """Stop a job, and forget it and its rows."""
        async with self.alone(job.job_id) as now:
            if now is None:
                return
            with contextlib.suppress(SkyshardError):
                now = await self.abort(now)
                if now.number:
                    await self._lanes.call(self._submissions.delete_result, now.number)
            self._folder.forget(job.job_id)

    @contextlib.asynccontextmanager
    async def rows(self, job: Job) -> AsyncIterator[OpenRows]:
        """The rows of a completed job. Raises UserError where they are gone."""
        path = self._folder.result(job.job_id)
        if job.is_here and not path.is_file():
            raise UserError("the rows of this job are gone", remedy="run the query again")
        opened = (lambda: FileRows.of(path)) if job.is_here else (lambda: self._submissions.result(job.number))
        async with self._lanes.ready(opened) as stream:
            yield OpenRows(_fields(job, stream.columns, stream.schema), stream.schema, stream)

    async def close(self) -> None:
        """End what runs here, and forget who is to be ended late: they end with this process."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _ended(**changes: Any) -> Callable[[Job], Job]:
    """What a job becomes that ends now; one that has ended stays as it is."""
    now_s = time.time()
    return lambda job: job if job.ended else replace(job, **changes, ended_s=now_s)


def _columns(asked: AskedQuery, catalog: TapCatalog) -> list[dict[str, str]]:
    """What is known of the columns of an answer before it is there."""
    known = [(one, catalog.field(one)) for one in asked.columns]
    return [asdict(field) if field is not None else {"name": one.name} for one, field in known]


def _fields(job: Job, names: tuple[str, ...], schema: pa.Schema) -> tuple[Field, ...]:
    columns: list[dict[str, Any]] = list(job.columns)
    if len(columns) != len(names):
        columns = [{"name": name} for name in names]
    return with_distinct_names(
        Field(**column) if "datatype" in column else field_of(column["name"], one.type)
        for column, one in zip(columns, schema, strict=True)
    )
