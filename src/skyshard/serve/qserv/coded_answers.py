"""The same answers below ``/v1``, with an HTTP status that says how it went: for programs that are not Qserv's.

Rules: the body is the envelope, word for word; the status follows from it alone. An answer whose rows are under way
when it fails keeps 200, and says so behind them. No I/O.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response, StreamingResponse

PREFIX = "/v1"
STATUSES = {
    "NoToken": 401, "NotAllowed": 403, "NotThere": 404, "InUse": 409, "OverQuota": 429, "TooManyTries": 429,
    "ClusterError": 502, "NoRoom": 507,
}  # fmt: skip
"""Of a kind of error; ``UserError`` and its other kinds are 400, what waiting may help 503, and a failed server 500."""
WRONG, LATER, FAILED = 400, 503, 500
_FAILED_AT_ONCE = b'{"success": 0'
_FAULTS = ("SkyshardError", "Bug")


def status_of(keys: Mapping[str, Any]) -> int:
    """The HTTP status of an envelope.

    >>> status_of({"success": 1}), status_of({"success": 0, "error_ext": {"kind": "NotThere"}})
    (200, 404)
    """
    if keys.get("success"):
        return 200
    details = keys.get("error_ext") or {}
    kind = details.get("kind", "")
    if details.get("retryable") and STATUSES.get(kind) in (None, STATUSES["ClusterError"]):
        return LATER
    return FAILED if kind in _FAULTS else STATUSES.get(kind, WRONG)


async def coded(answer: Response) -> Response:
    """An answer with the status that its envelope asks for; of rows under way the first piece is awaited."""
    if not isinstance(answer, StreamingResponse):
        answer.status_code = status_of(json.loads(bytes(answer.body)))
        return answer
    pieces = aiter(answer.body_iterator)
    first = await anext(pieces, b"")
    text = first.encode() if isinstance(first, str) else bytes(first)
    if text.startswith(_FAILED_AT_ONCE):
        answer.status_code = status_of(json.loads(text))
    answer.body_iterator = _with_first(text, pieces)
    return answer


async def _with_first(first: bytes, rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yield first
    async for piece in rest:
        yield piece
