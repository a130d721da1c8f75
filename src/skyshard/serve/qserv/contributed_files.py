"""Files that clients name by URL: found on disk below allowed folders, or brought from allowed hosts.

Rules: nothing is read outside of what the operator allows, also not through a link or a redirect. A file on disk is
used where it is; its size and time of change are kept, so that one that changes before it is published is refused.
What is brought is waited for no longer than ``BROUGHT_S``, and not beyond the end of the process.
"""

from __future__ import annotations

import queue
import shutil
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any

from skyshard.basics.errors import ClusterError, SkyshardError, UserError

BLOCK_BYTES = 1 << 20
SILENT_S = 60.0
BROUGHT_S = 3600.0
LOOK_S = 0.2
"""Between two looks at whether the process ends."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Folders and hosts (``HOST`` or ``HOST:PORT``) that files may come from; ``everything`` allows any."""

    folders: Sequence[Path] = ()
    hosts: Sequence[str] = ()
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file is; of HTTP also how it is asked for: headers are ``Name: value``."""

    url: str
    method: str = "GET"
    sent: str = ""
    headers: Sequence[str] = ()

    def request(self) -> urllib.request.Request:
        pairs = (one.partition(":") for one in self.headers)
        headers = {name: value.strip() for name, _, value in pairs}
        return urllib.request.Request(self.url, self.sent.encode() or None, headers, method=self.method)


class HttpFailed(ClusterError):
    """A web server that gives no file, but ``status``: an error of it may be over later, as Qserv's clients expect."""

    def __init__(self, what: str, *, status: int) -> None:
        self.status = status
        super().__init__(what, remedy="check the URL", retryable=status >= 400)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, request: urllib.request.Request, file: IO[bytes], code: int, words: str, headers: Message, url: str
    ) -> None:
        raise urllib.error.HTTPError(request.full_url, code, "redirects are not followed", headers, file)


def fetch(
    source: Source,
    allowed: Allowed,
    into: Path,
    *,
    limit_bytes: int,
    ending: threading.Event,
    is_wanted: Callable[[], bool] = lambda: True,
    within_s: float = BROUGHT_S,
) -> tuple[Path, bool]:
    """The file that a URL names, and whether it is a copy of ours, at ``into``.

    Raises:
        UserError: another kind of URL, or a place that is not allowed, or nothing is there.
        ClusterError: a host that does not answer in time, or with an error, or the process ends (retryable); the file
            is not wanted any more.
    """
    url = source.url
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise _no_url(url) from None
    if parts.scheme == "file":
        return _on_disk(urllib.parse.unquote(parts.path), allowed), False
    if parts.scheme not in ("http", "https") or not host:
        raise _no_url(url)
    if not allowed.everything and not {host, parts.netloc} & set(allowed.hosts):
        raise UserError(f"files from {host} are not allowed", remedy="its operator can allow it: ingest_hosts")
    brought = _Brought(source, into.with_suffix(f".{uuid.uuid4().hex}"), limit_bytes)
    brought.wait(within_s, ending, is_wanted).replace(into)
    return into, True


def _no_url(url: str) -> UserError:
    return UserError(f"'{url[:200]}' is no URL of a file", remedy="use file:///..., http://... or https://...")


def _on_disk(name: str, allowed: Allowed) -> Path:
    if "\0" in name:
        raise UserError("no name of a file has a NUL", remedy="check the URL")
    path = Path(name).resolve()
    if not allowed.everything and not any(path.is_relative_to(folder.resolve()) for folder in allowed.folders):
        raise UserError(f"files at {name} are not allowed", remedy="the server's operator can allow it: ingest_folders")
    if not path.is_file():
        raise UserError(f"there is no file {name} on the server's host", remedy="check the URL")
    return path


class _Brought:
    """A file that a thread of its own brings to a place of its own; a host that is slow keeps neither a client nor the
    process: who waits no longer leaves the thread alone, which then removes what it has."""

    def __init__(self, source: Source, draft: Path, limit_bytes: int) -> None:
        self._source, self._url, self._draft, self._limit_bytes = source, source.url, draft, limit_bytes
        self._ended = queue.SimpleQueue[Exception | None]()
        self._is_left = threading.Event()
        threading.Thread(target=self._work, name="bring", daemon=True).start()

    def wait(self, within_s: float, ending: threading.Event, is_wanted: Callable[[], bool]) -> Path:
        """Where the whole file is.

        Raises:
            UserError, ClusterError: as of ``fetch``; nothing is left of it.
        """
        deadline = time.monotonic() + within_s
        while is_wanted() and not ending.is_set() and time.monotonic() < deadline:
            try:
                error = self._ended.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            return self._draft
        self._is_left.set()
        why = "the server ends" if ending.is_set() else f"it took longer than {within_s:g} s"
        why = why if is_wanted() else "it is not wanted any more"
        raise ClusterError(f"{self._url} was not read: {why}", remedy="try again", retryable=True)

    def _work(self) -> None:
        error: Exception | None = None
        try:
            self._bring()
        except Exception as found:
            error = found
        if error is not None or self._is_left.is_set():
            self._draft.unlink(missing_ok=True)
        self._ended.put(error)

    def _bring(self) -> None:
        opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))
        try:
            answer: Any = opener.open(self._source.request(), timeout=SILENT_S)
            with answer, self._draft.open("wb") as file:
                self._copy(answer, file)
        except urllib.error.HTTPError as error:
            error.close()
            raise HttpFailed(f"{self._url} gives HTTP {error.code}: {error.reason}", status=error.code) from None
        except SkyshardError:
            raise
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error) or type(error).__name__
            raise ClusterError(f"{self._url} cannot be read: {reason}", remedy="try again", retryable=True) from None

    def _copy(self, answer: HTTPResponse, file: IO[bytes]) -> None:
        """All of it; what ends early is an error, since its rows would be missing."""
        announced = answer.headers.get("content-length")
        read = 0
        while (block := answer.read1(BLOCK_BYTES)) and not self._is_left.is_set():
            read += len(block)
            if read > self._limit_bytes:
                raise UserError(f"the file is longer than {self._limit_bytes:,} bytes", remedy="split it")
            file.write(block)
        if announced is not None and read != int(announced):
            raise OSError(f"{read:,} of {announced} bytes came")


def keep(source: IO[bytes], into: Path) -> None:
    """Keep what a request brought."""
    with into.open("wb") as file:
        shutil.copyfileobj(source, file, BLOCK_BYTES)


def count_rows(path: Path) -> int:
    """Line ends, and one more for a last line without: rows, unless values hold line ends."""
    rows, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            rows += block.count(b"\n")
            last = block[-1:]
    return rows + (last != b"\n")
