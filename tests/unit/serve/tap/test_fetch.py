"""Documents from URLs: whom we ask, and what is refused before anything was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from skyshard.basics.errors import UserError
from skyshard.serve.tap.fetch import UploadSources, fetch


class Documents(BaseHTTPRequestHandler):
    """Gives a document, and notes who asked for what."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(302 if self.path == "/moved" else 200)
        self.send_header("location", "/document")
        self.end_headers()
        self.wfile.write(b"0123456789")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def place() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Documents)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    Documents.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_hosts_of_ones_own_network_are_not_asked(place: str) -> None:
    """The connection is closed before anything was sent, under whatever name; those that the operator names are."""
    for url in (f"{place}/document", place.replace("127.0.0.1", "localhost") + "/document"):
        with pytest.raises(UserError, match="is not to be asked"):
            fetch(url, 100)
    assert Documents.asked == []
    assert fetch(f"{place}/document", 100, ("127.0.0.1",)) == b"0123456789"
    assert UploadSources(100, has_loopback=True).fetch(f"{place}/a?b=c") == b"0123456789"
    assert Documents.asked == ["/document", "/a?b=c"]


def test_what_is_no_document_is_refused(place: str) -> None:
    """Too long, moved, of another scheme, or not there; never with what was read."""
    wrong = {
        f"{place}/document": (9, "more than 9 bytes"),
        f"{place}/moved": (100, "gives 302"),
        "http://127.0.0.1:9/x": (100, "cannot be read: ConnectionRefusedError"),
        "file:///etc/passwd": (100, "no URL of http or https"),
        "gopher://127.0.0.1/": (100, "no URL of http or https"),
        "http:///x": (100, "no URL of http or https"),
        "http://127.0.0.1:x/": (100, "cannot be read"),
    }
    for url, (most, words) in wrong.items():
        with pytest.raises(UserError, match=words):
            fetch(url, most, allow_loopback=True)
    assert "/document" not in Documents.asked[1:]
