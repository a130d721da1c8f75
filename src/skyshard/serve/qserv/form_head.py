"""The beginning of a form, read before the rest is: Qserv's clients send their token as a field of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping

from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from starlette.types import Message

from skyshard.serve.http.form import NO_FORM

HEAD_BYTES = 64 << 10


async def first_fields(request: Request) -> tuple[Mapping[str, str], Request]:
    """The fields that are complete within the first 64 KiB, and the request with its whole body still to be read.

    No fields where it is no form in parts: whoever reads the body says what is wrong.
    """
    came: list[Message] = []
    head = b""
    while len(head) < HEAD_BYTES:
        came.append(await request.receive())
        head += came[-1].get("body", b"")
        if not came[-1].get("more_body", False):
            break

    async def receive_again() -> Message:
        return came.pop(0) if came else await request.receive()

    return await _fields(request, head[:HEAD_BYTES]), Request(request.scope, receive_again)


class _HeadEnds(Exception):
    """The parser is stopped by an error, which has it close the files that it has begun."""


async def _fields(request: Request, head: bytes) -> Mapping[str, str]:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield head
        raise _HeadEnds

    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return {}
    parser = MultiPartParser(request.headers, pieces())
    with contextlib.suppress(*NO_FORM, _HeadEnds):
        await parser.parse()
    return {name: value for name, value in parser.items if isinstance(value, str)}
