"""One HTTP connection: uvicorn's, with an end for every request that cannot be answered.

Rules: a request that is refused gets its answer whatever it still sends, never a connection that is reset before the
answer is read; what follows it is a new connection. A head has a limit of bytes, which does not depend on how it
arrives, and one of time; so has a client that takes nothing of its answer. Targets in absolute form are those of the
path in them, asked of the host in them.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from skyshard.serve.slow_reader import WRITE_S, SlowReader

HEAD_BYTES = 65_536
"""Of a request's first line and headers."""
HEAD_S = 60.0
"""So long a head may take, from its first byte or that of the connection on."""
LINGER_S = 30.0
"""So long what a refused request still sends is read, and forgotten."""
QUIET_S = 2.0
"""A client that sends nothing for so long sends no more."""
SOON_BYTES = 65_536
"""A body that was not asked for is waited for, if it is no longer."""
_TOO_LONG = f"the request line and headers are longer than {HEAD_BYTES:,} bytes, the limit; send what is long by POST"


class Exchange(h11.Connection):
    """What is read and written on one connection; ``fault``: why a request cannot be read."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, HEAD_BYTES)
        self.fault = h11.RemoteProtocolError("")
        self._announced_bytes = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """As of h11; a request has its path as target.

        Raises:
            RemoteProtocolError: what was sent is no request, or one that is not taken.
        """
        is_head = self.their_state is h11.IDLE
        while is_head and self.trailing_data[0].startswith(b"\r\n"):  # empty lines before a request are none of it
            self._receive_buffer.maybe_extract_next_line()
        try:
            event = super().next_event()
            return self._taken(event) if isinstance(event, h11.Request) else event
        except h11.RemoteProtocolError as error:
            is_long = is_head and error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self.fault = h11.RemoteProtocolError(_TOO_LONG, error.error_status_hint) if is_long else error
            raise

    def send(self, event: Any) -> Any:
        """As of h11; an answer before the end of its request's body says that the connection ends with it, unless the
        rest is short, and on its way."""
        if isinstance(event, h11.Response) and self.their_state is h11.SEND_BODY and not self._is_soon_whole:
            headers = [*event.headers, (b"connection", b"close")]
            event = h11.Response(status_code=event.status_code, headers=headers, reason=event.reason)
        return super().send(event)

    @property
    def is_owed(self) -> bool:
        """Whether the client may have more to send before it reads an answer."""
        return self.their_state in (h11.SEND_BODY, h11.ERROR)

    @property
    def _is_soon_whole(self) -> bool:
        return not self.they_are_waiting_for_100_continue and self._announced_bytes <= SOON_BYTES

    def _taken(self, request: h11.Request) -> h11.Request:
        if sum(len(name) + len(value) for name, value in request.headers) + len(request.target) > HEAD_BYTES:
            raise h11.RemoteProtocolError(_TOO_LONG, error_status_hint=431)
        if not request.http_version.startswith(b"1."):
            raise h11.RemoteProtocolError("this server speaks HTTP/1.1", error_status_hint=505)
        headers = dict(request.headers)
        if b"transfer-encoding" in headers and b"content-length" in headers:
            raise h11.RemoteProtocolError("a body has a length or is in chunks, not both")
        is_chunked = b"transfer-encoding" in headers
        self._announced_bytes = SOON_BYTES + 1 if is_chunked else int(headers.get(b"content-length", b"0"))
        return in_origin_form(request)


def in_origin_form(request: h11.Request) -> h11.Request:
    """A request whose target is a path, of one whose target may be a whole address (RFC 9112, 3.2.2).

    >>> host = [(b"Host", b"a")]
    >>> made = in_origin_form(h11.Request(method="GET", target="http://b:80/c?d", headers=host))
    >>> made.target, list(made.headers)
    (b'/c?d', [(b'host', b'b:80')])
    """
    if not request.target[:8].lower().startswith((b"http://", b"https://")):
        return request
    try:
        whole = urlsplit(request.target)
    except ValueError:
        raise h11.RemoteProtocolError("the target is no address") from None
    headers = [(name, value) for name, value in request.headers if name != b"host"]
    target = (whole.path or b"/") + (b"?" + whole.query if whole.query else b"")
    return h11.Request(
        method=request.method, target=target, headers=[(b"host", whole.netloc), *headers],
        http_version=request.http_version,
    )  # fmt: skip


class HttpConnection(H11Protocol):
    """As of uvicorn, over an ``Exchange``."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._exchange = Exchange()
        self.conn = self._exchange
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As of ``asyncio.Protocol``."""
        self._slow = SlowReader(transport, transport.abort, WRITE_S)
        self._lingering = LingeringTransport(transport, self._exchange, self._slow)
        super().connection_made(self._lingering)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """As of ``asyncio.Protocol``."""
        if self._lingering.is_closing():
            self._lingering.hear()
            return
        if self.conn.their_state is h11.MUST_CLOSE:
            return  # behind its last request, which is still answered, a client has nothing to say
        super().data_received(data)
        if self.conn.their_state is h11.DONE and len(self.conn.trailing_data[0]) <= HEAD_BYTES:
            self.flow.resume_reading()  # behind a request that waits for its turn is the end of a client that has gone
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """As of ``asyncio.Protocol``."""
        self._lingering.abandon()
        self._slow.end()
        self._stop_watch()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """As of ``asyncio.Protocol``: a client that takes nothing any more is not waited for without an end."""
        self._slow.begin()
        super().pause_writing()

    def resume_writing(self) -> None:
        """As of ``asyncio.Protocol``."""
        if not self._lingering.is_closing():  # then it is to take all that is left
            self._slow.end()
        super().resume_writing()

    def shutdown(self) -> None:
        """As of uvicorn: end, after the answer under way."""
        self._lingering.is_patient = False
        if self._lingering.is_closing():
            self._lingering.abandon()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """As of uvicorn: an answer to what is no request, with the reason; none within another answer."""
        fault = self._exchange.fault
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(HTTPStatus(fault.error_status_hint), f"this request cannot be read: {fault}")
        self.transport.close()

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        text = words.encode("ascii", "replace") + b"\n"
        headers = [
            ("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(text))), ("connection", "close"),
        ]  # fmt: skip
        reason = status.phrase.encode()
        for event in (h11.Response(status_code=status, headers=headers, reason=reason), h11.Data(data=text)):
            self.transport.write(self.conn.send(event))
        self.transport.write(self.conn.send(h11.EndOfMessage()))

    def _watch(self) -> None:
        """A head has to end in time, whatever comes of it."""
        if self._is_awaiting_head() and self._late is None:
            self._late = self.loop.call_later(HEAD_S, self._say_late)
        elif not self._is_awaiting_head():
            self._stop_watch()

    def _is_awaiting_head(self) -> bool:
        is_free = self.cycle is None or self.cycle.response_complete
        return is_free and not self.transport.is_closing()

    def _stop_watch(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _say_late(self) -> None:
        self._late = None
        if not self._is_awaiting_head():
            return
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"the head of a request took longer than {HEAD_S:g} s")
        self.transport.close()


class LingeringTransport(asyncio.Transport):
    """A transport that, where the client may still be sending, reads on after the last byte was written: closed at
    once, the system would reset the connection, and the client might never see its answer."""

    def __init__(self, inner: asyncio.Transport, exchange: Exchange, slow: SlowReader) -> None:
        super().__init__()
        self._inner = inner
        self._exchange, self._slow = exchange, slow
        self.is_patient = True
        self._end: asyncio.TimerHandle | None = None
        self._end_s = 0.0

    def close(self) -> None:
        """Nothing more is written; what still comes has ``LINGER_S``, as long as something comes."""
        if self._end is not None:
            return
        if self._inner.is_closing() or not (self.is_patient and self._exchange.is_owed):
            self._close()
            return
        if self._inner.can_write_eof():
            self._inner.write_eof()
        self._inner.resume_reading()
        loop = asyncio.get_running_loop()
        self._end_s = loop.time() + LINGER_S
        self._end = loop.call_later(QUIET_S, self._close)

    def hear(self) -> None:
        """Something came."""
        if self._end is not None and not self._inner.is_closing():
            self._end.cancel()
            loop = asyncio.get_running_loop()
            self._end = loop.call_at(min(loop.time() + QUIET_S, self._end_s), self._close)

    def abandon(self) -> None:
        """Close at once."""
        if self._end is not None:
            self._end.cancel()
        self._close()

    def _close(self) -> None:
        """Once all that was written is taken, or nothing of it any more."""
        if self._inner.get_write_buffer_size():
            self._slow.begin()
        self._inner.close()

    def is_closing(self) -> bool:
        return self._end is not None or self._inner.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._inner.write(data)

    def pause_reading(self) -> None:
        if not self.is_closing():
            self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def is_reading(self) -> bool:
        return self._inner.is_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._inner.set_protocol(protocol)
