"""``/async``: jobs of UWS 1.1 as HTTP. Rules: what a client does wrong is 400, a change that comes too late 403."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.basics.plain_numbers import plain_number
from skyshard.serve.access import Identity
from skyshard.serve.tap.jobs import Job, Phase, new_job
from skyshard.serve.tap.parameters import QUERY, Given, TapRequest, read_parameters
from skyshard.serve.tap.tables_document import XML_TYPE, Limits
from skyshard.serve.tap.tap_answers import begin_answer, error_response
from skyshard.serve.tap.tap_jobs import TapJobs
from skyshard.serve.tap.uws_documents import (
    RESULT,
    has_error,
    job_document,
    jobs_document,
    parameters_document,
    read_time,
    results_document,
    shown_time,
)
from skyshard.serve.user_limits import require_upload
from skyshard.serve.votable.document import MIME, error_document

LONGEST_WAIT_S = 60.0
LONGEST_RUN_S = 366 * 86_400.0
NOT_OURS = ("HELD", "SUSPENDED", "UNKNOWN")
"""Phases of UWS that no job here is in."""
_CONTROL = ("PHASE", "ACTION", "DESTRUCTION", "EXECUTIONDURATION", "WAIT")
"""Parameters that are no job's own."""

Who = Callable[[Request], Awaitable[Identity | Response]]


class AsyncRoutes:
    """The routes of jobs; ``who`` says whose request it is, or why it is not answered."""

    def __init__(self, jobs: TapJobs, limits: Limits, who: Who, root: Callable[[Request], str]) -> None:
        self._jobs = jobs
        self._limits = limits
        self._who = who
        self._root = root

    def routes(self) -> list[Route]:
        one = "/tap/async/{job_id}"
        parts = {
            "phase": self._phase, "executionduration": self._duration, "destruction": self._destruction,
            "quote": self._quote, "owner": self._owner, "error": self._error, "parameters": self._parameters,
            "results": self._results, f"results/{RESULT}": self._result,
        }  # fmt: skip
        return [
            Route("/tap/async", self._list, methods=["GET"]),
            Route("/tap/async", self._create, methods=["POST"]),
            Route(one, self._of(self._job), methods=["GET", "POST", "DELETE"]),
            *(Route(f"{one}/{name}", self._of(part), methods=["GET", "POST"]) for name, part in parts.items()),
        ]

    def _of(self, part: Callable[[Request, Job], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint of one job: found, and its errors said."""

        async def answer(request: Request) -> Response:
            who = await self._who(request)
            if isinstance(who, Response):
                return who
            job = self._jobs.find(request.path_params["job_id"], who)
            if job is None:
                return _no_job()
            try:
                return await part(request, job)
            except SkyshardError as error:
                return error_response(error)

        return answer

    def _url(self, request: Request, job: Job) -> str:
        return f"{self._root(request)}/async/{job.job_id}"

    def _see(self, request: Request, job: Job) -> Response:
        return RedirectResponse(self._url(request, job), 303)

    async def _list(self, request: Request) -> Response:
        who = await self._who(request)
        if isinstance(who, Response):
            return who
        try:
            found = _wanted(await self._jobs.listed(who), request)
        except SkyshardError as error:
            return error_response(error)
        return Response(jobs_document(found, f"{self._root(request)}/async"), media_type=XML_TYPE)

    async def _create(self, request: Request) -> Response:
        who = await self._who(request)
        if isinstance(who, Response):
            return who
        try:
            brought = await read_parameters(request)
            given, limits = brought.values, self._limits
            await self._jobs.forget_old()
            made = new_job(who.name, _own(given), duration_s=limits.duration_s, kept_s=limits.kept_s)
            require_upload(who.name, who.quota, sum(map(len, brought.uploads.values())))
            job = self._jobs.save(self._changed(made, given), brought.uploads)
            if _is(given, "PHASE", "RUN"):
                async with self._jobs.alone(job.job_id) as now:
                    await self._jobs.run(now or job)
        except SkyshardError as error:
            return error_response(error)
        return self._see(request, job)

    async def _job(self, request: Request, job: Job) -> Response:
        brought = await read_parameters(request)
        given = brought.values
        is_deleted = request.method == "DELETE" or (request.method == "POST" and _is(given, "ACTION", "DELETE"))
        if is_deleted:
            await self._jobs.delete(job)
            return RedirectResponse(f"{self._root(request)}/async", 303)
        if request.method == "POST":
            return await self._change(request, job, brought)
        wait_s = _wait(given["WAIT"]) if "WAIT" in given else 0.0
        job, phase = await self._jobs.wait(job, wait_s, given.get("PHASE", "").upper())
        return Response(job_document(job, phase, self._url(request, job)), media_type=XML_TYPE)

    async def _change(self, request: Request, job: Job, brought: Given) -> Response:
        """A POST to a job or a part of it, as the job is once all of that has come: parameters, times, and last its
        phase."""
        async with self._jobs.alone(job.job_id) as now:
            if now is None:
                return _no_job()
            return await self._changed_alone(request, now, brought)

    async def _changed_alone(self, request: Request, job: Job, brought: Given) -> Response:
        given, has_begun = brought.values, bool(job.number or job.ended or job.is_here)
        if has_begun and (_own(given) or "EXECUTIONDURATION" in given):
            return PlainTextResponse("the job has begun: its parameters do not change any more\n", 403)
        job = self._jobs.change(
            job, lambda now: self._changed(now.with_parameters(_own(given)), given), brought.uploads
        )
        if _is(given, "PHASE", "RUN"):
            await self._jobs.run(job)
        elif _is(given, "PHASE", "ABORT"):
            await self._jobs.abort(job)
        elif "PHASE" in given:
            raise UserError(f"PHASE '{given['PHASE'][:20]}' cannot be asked for", remedy="give RUN or ABORT")
        return self._see(request, job)

    def _changed(self, job: Job, given: Mapping[str, str]) -> Job:
        """A job with the times that were asked for, within the limits."""
        if "DESTRUCTION" in given:
            latest = time.time() + self._limits.kept_s
            job = replace(job, destruction_s=min(read_time(given["DESTRUCTION"]), latest))
        if "EXECUTIONDURATION" in given:
            wanted, most = _duration(given["EXECUTIONDURATION"]), self._limits.duration_s
            job = replace(job, duration_s=min(wanted, most) if wanted and most else wanted or most)
        return job

    async def _phase(self, request: Request, job: Job) -> Response:
        if request.method == "POST":
            return await self._change(request, job, await read_parameters(request))
        return PlainTextResponse((await self._jobs.look(job))[1])

    async def _duration(self, request: Request, job: Job) -> Response:
        if request.method == "POST":
            return await self._change(request, job, await read_parameters(request))
        return PlainTextResponse(str(job.duration_s))

    async def _destruction(self, request: Request, job: Job) -> Response:
        if request.method == "POST":
            return await self._change(request, job, await read_parameters(request))
        return PlainTextResponse(shown_time(job.destruction_s))

    async def _quote(self, request: Request, job: Job) -> Response:
        return PlainTextResponse("")

    async def _owner(self, request: Request, job: Job) -> Response:
        return PlainTextResponse(job.owner)

    async def _parameters(self, request: Request, job: Job) -> Response:
        if request.method == "POST":
            return await self._change(request, job, await read_parameters(request))
        return Response(parameters_document(job), media_type=XML_TYPE)

    async def _error(self, request: Request, job: Job) -> Response:
        job, phase = await self._jobs.look(job)
        if not has_error(job, phase):
            return PlainTextResponse("there is no error\n", 404)
        return Response(error_document(job.error), media_type=MIME)

    async def _results(self, request: Request, job: Job) -> Response:
        _, phase = await self._jobs.look(job)
        return Response(results_document(phase, self._url(request, job)), media_type=XML_TYPE)

    async def _result(self, request: Request, job: Job) -> Response:
        job, phase = await self._jobs.look(job)
        if phase is Phase.ERROR:
            return Response(error_document(job.error), 400, media_type=MIME)
        if phase is not Phase.COMPLETED:
            return PlainTextResponse(f"there is no result: the job is {phase}\n", 404)
        wanted = TapRequest.of(job.parameters, self._limits.default_rows, self._limits.most_rows).format
        return await begin_answer(self._jobs.rows(job), wanted, job.parameters[QUERY], job.most_rows)


def _own(given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name not in _CONTROL}


def _is(given: Mapping[str, str], name: str, wanted: str) -> bool:
    return given.get(name, "").upper() == wanted


def _number(text: str) -> float:
    """A number of seconds, or jobs.

    Raises:
        UserError: it is none.
    """
    try:
        return plain_number(text.strip())
    except ValueError:
        raise UserError(f"'{text[:20]}' is no number", remedy="give a whole number") from None


def _wait(text: str) -> float:
    """Seconds that a client waits; it may ask again afterwards. -1 is as long as may be."""
    seconds = _number(text)
    return LONGEST_WAIT_S if seconds < 0 else min(seconds, LONGEST_WAIT_S)


def _duration(text: str) -> int:
    """Seconds that a job may run, parts of one for a whole one; 0, and what is less, is as long as it takes.

    >>> _duration("0.5"), _duration("-1"), _duration("1e300")
    (1, 0, 31622400)
    """
    return math.ceil(min(max(_number(text), 0.0), LONGEST_RUN_S))


def _no_job() -> Response:
    return PlainTextResponse("there is no such job\n", 404)


def _wanted(jobs: list[tuple[Job, Phase]], request: Request) -> list[tuple[Job, Phase]]:
    """The jobs that the filters of UWS 1.1 let through: PHASE, AFTER and LAST."""
    asked = {name.upper(): value for name, value in request.query_params.items()}
    phases = {value.upper() for name, value in request.query_params.multi_items() if name.upper() == "PHASE"}
    if unknown := phases.difference(Phase, NOT_OURS):
        raise UserError(f"there is no phase {min(unknown)}", remedy=f"phases are {', '.join(Phase)}")
    found = [one for one in jobs if (one[1] in phases if phases else one[1] is not Phase.ARCHIVED)]
    if "AFTER" in asked:
        after = read_time(asked["AFTER"])
        found = [one for one in found if one[0].created_s > after]
    return found[: max(0, int(_number(asked["LAST"])))] if "LAST" in asked else found
