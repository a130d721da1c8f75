"""What becomes of a request that ends otherwise than by an answer."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from skyshard.serve.http.safety import Safety


async def reads_its_body(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/fails":
        raise ValueError("out of its mind")
    await Request(scope, receive).body()


@pytest.mark.parametrize(
    ("path", "status", "logged"),
    [("/", 400, []), ("/fails", 500, ["the door http failed at a request: ValueError: out of its mind"])],
)
def test_a_client_that_goes_in_the_middle_of_its_body_is_no_failure(
    caplog: pytest.LogCaptureFixture, path: str, status: int, logged: list[str]
) -> None:
    """An upload that is broken off was logged as an error of the door, as what fails is."""
    coming: list[Message] = [
        {"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"},
    ]  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"host", b"localhost")]}
    asyncio.run(Safety(reads_its_body, frozenset({"localhost"}), 1000, {})(scope, receive, send))
    assert sent[0]["status"] == status
    assert [one.getMessage() for one in caplog.records if getattr(one, "event", "") == "door_failed"] == logged
