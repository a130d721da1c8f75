"""What Qserv's workers answer: files of contributions, found, brought, tried again and cancelled."""

from __future__ import annotations

import functools

from starlette.datastructures import UploadFile
from starlette.routing import Route

from skyshard.basics.errors import UserError
from skyshard.serve.access import Scope
from skyshard.serve.http.form import open_form
from skyshard.serve.lanes import Lanes
from skyshard.serve.qserv.contributions import Contributions
from skyshard.serve.qserv.envelope import Asked, Desk, Payload
from skyshard.serve.qserv.form_head import first_fields
from skyshard.serve.qserv.ingest_json import ASKED_FOR, contribution_json
from skyshard.serve.qserv.ingest_state import Contribution, IngestState
from skyshard.serve.qserv.json_rows import encoding_of
from skyshard.serve.qserv.posted_rows import lines_of


class ContributionRoutes:
    """Its routes."""

    def __init__(self, contributions: Contributions, lanes: Lanes, state: IngestState) -> None:
        self._contributions = contributions
        self._lanes = lanes
        self._state = state

    def routes(self, desk: Desk) -> list[Route]:
        return [
            *desk.route("POST", "/ingest/file", self._file, Scope.INGEST),
            *desk.route("PUT", "/ingest/file/{contribution}", self._file_again, Scope.INGEST),
            *desk.route("POST", "/ingest/file-async", self._file_async, Scope.INGEST),
            *desk.route("PUT", "/ingest/file-async/{contribution}", self._again_async, Scope.INGEST),
            *desk.route("GET", "/ingest/file-async/{contribution}", self._one, Scope.INGEST),
            *desk.route("DELETE", "/ingest/file-async/{contribution}", self._cancel, Scope.INGEST),
            *desk.route("GET", "/ingest/file-async/trans/{transaction}", self._all, Scope.INGEST),
            *desk.route("DELETE", "/ingest/file-async/trans/{transaction}", self._cancel_all, Scope.INGEST),
            *desk.route("POST", "/ingest/data", self._data, Scope.INGEST),
            *desk.route("GET", "/ingest/trans/contrib/{contribution}", self._contribution, Scope.INGEST),
            *desk.route("POST", "/ingest/csv", functools.partial(self._csv, desk), None, is_json=False),
        ]

    async def _file(self, asked: Asked) -> Payload:
        made = await self._lanes.call(self._contributions.add, asked, is_async=False, url=asked.text("url"))
        return await self._shown(await self._lanes.work(self._contributions.read, made.id))

    async def _file_async(self, asked: Asked) -> Payload:
        made = await self._lanes.call(self._contributions.add, asked, is_async=True, url=asked.text("url"))
        self._lanes.begin(self._contributions.read_all, made)
        return await self._shown(made)

    async def _file_again(self, asked: Asked) -> Payload:
        number = asked.whole("contribution")
        await self._lanes.call(self._contributions.again, number)
        return await self._shown(await self._lanes.work(self._contributions.read, number))

    async def _again_async(self, asked: Asked) -> Payload:
        made = await self._lanes.call(self._contributions.again, asked.whole("contribution"))
        self._lanes.begin(self._contributions.read, made.id)
        return await self._shown(made)

    async def _csv(self, desk: Desk, asked: Asked) -> Payload:
        """The token may be a field of the form, before its file, as Qserv's clients send it."""
        fields, request = await first_fields(asked.request)
        await desk.require(asked.with_body(fields), Scope.INGEST)
        async with open_form(request) as form:
            told = asked.with_body({name: value for name, value in form.items() if isinstance(value, str)})
            told.check_version()
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if not files:
                raise UserError("the form has no file", remedy="send the rows as the last part")
            rows = files[-1]
            made = await self._lanes.call(self._contributions.add, told, is_async=False, url="")
            read = await self._lanes.work(self._contributions.read, made.id, brought=rows.file)
        return await self._shown(read)

    async def _data(self, asked: Asked) -> Payload:
        """Rows in the request itself, as JSON."""
        encoding = encoding_of(asked.text("binary_encoding", "hex"))
        made = await self._lanes.call(self._contributions.add, asked, is_async=False, url="")
        registered = await self._lanes.call(self._state.with_transaction, made.transaction)
        schema = registered.tables[made.table]["schema"]
        rows = functools.partial(lines_of, asked.body.get("rows"), schema, made.charset, encoding)
        return await self._shown(await self._lanes.work(self._contributions.read, made.id, brought=rows))

    async def _one(self, asked: Asked) -> Payload:
        _, one = await self._lanes.call(self._contributions.found, asked.whole("contribution"))
        return await self._shown(one)

    async def _contribution(self, asked: Asked) -> Payload:
        registered, one = await self._lanes.call(self._contributions.found, asked.whole("contribution"))
        with_retries = asked.version < ASKED_FOR or asked.flag("include_retries")
        return {"contribution": contribution_json(registered, one, with_retries=with_retries)}

    async def _all(self, asked: Asked) -> Payload:
        number = asked.whole("transaction")
        registered = await self._lanes.call(self._contributions.of, number)
        return {"contribs": [contribution_json(registered, one) for one in registered.of(number)]}

    async def _cancel(self, asked: Asked) -> Payload:
        return await self._shown(await self._lanes.call(self._contributions.cancel, asked.whole("contribution")))

    async def _cancel_all(self, asked: Asked) -> Payload:
        """Those of a transaction that are under way; others stay as they are."""
        number = asked.whole("transaction")
        registered = await self._lanes.call(self._contributions.cancel_all, number)
        return {"contribs": [contribution_json(registered, one) for one in registered.of(number)]}

    async def _shown(self, one: Contribution) -> Payload:
        registered = await self._lanes.call(self._state.with_transaction, one.transaction)
        return {"contrib": contribution_json(registered, one)}
