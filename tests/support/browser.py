"""A real Chromium without a window, driven over a pipe by its own protocol (DevTools); nothing else is needed."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT_S = 120.0
Scheme = Literal["light", "dark"]


def chromium() -> str | None:
    """The browser's path; None where there is none."""
    return os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


class PageError(AssertionError):
    """The page did not do what it should."""


@dataclass
class Browser:
    """One tab. ``faults`` are errors of the page's code, and what its security policy refused."""

    to_browser: int
    from_browser: int
    session: str = ""
    faults: list[str] = field(default_factory=list)
    _number: int = 0
    _read: bytes = b""

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        self._number += 1
        order: dict[str, Any] = {"id": self._number, "method": method, "params": values}
        if self.session:
            order["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(order).encode() + b"\0")
        deadline = time.monotonic() + WAIT_S
        while (said := self._next(deadline)).get("id") != self._number:
            self._note(said)
        if "error" in said:
            raise PageError(f"{method}: {said['error']['message']}")
        return dict(said["result"])

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._read:
            if not select.select([self.from_browser], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise PageError("the browser does not answer")
            if not (read := os.read(self.from_browser, 1 << 20)):
                raise PageError("the browser has ended")
            self._read += read
        message, _, self._read = self._read.partition(b"\0")
        return dict(json.loads(message))

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.faults.append(str(params["exceptionDetails"].get("exception", {}).get("description", params)))
        elif event.get("method") == "Log.entryAdded" and params["entry"]["source"] in ("security", "javascript"):
            self.faults.append(params["entry"]["text"])

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, code: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise PageError(f"{code}: {found['exceptionDetails']['exception'].get('description')}")
        return found["result"].get("value")

    def leave_by(self, code: str) -> None:
        """Does what leads to another page, after the answer: the page that asks for it may be gone before."""
        self.evaluate(f"void setTimeout(() => {{ {code} }})")

    def wait_for(self, code: str) -> None:
        """Until an expression is true, as its language has it."""
        deadline = time.monotonic() + WAIT_S
        while True:
            with contextlib.suppress(PageError):  # between two pages there is none
                if self.evaluate(f"!!({code})"):
                    return
            if time.monotonic() > deadline:
                raise PageError(f"not so within {WAIT_S:g} s: {code}; the page says {self.text()[:2000]!r}")
            time.sleep(0.05)

    def text(self) -> str:
        return str(self.evaluate("document.body.innerText"))

    def press(self, key: str, code: int) -> None:
        """A key with its number, as a keyboard has it."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def look(self, width: int, height: int, scheme: Scheme = "light") -> None:
        """A window of so many pixels, light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path, *, is_whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=is_whole)
        path.write_bytes(base64.b64decode(found["data"]))


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Started at entering; ended, and its folder removed, at leaving."""
    path = chromium()
    assert path is not None
    to_read, to_browser = os.pipe()
    from_browser, to_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        started = subprocess.Popen(
            [
                "bash", "-c", f'exec 3<&{to_read} 4>&{to_write}; exec "$@"', "bash", path, "--headless=new",
                "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank",
            ],
            pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": folder},
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        try:
            yield _first_tab(Browser(to_browser, from_browser))
        finally:
            os.close(to_browser)
            os.close(from_browser)
            started.terminate()
            started.wait(WAIT_S)


def _first_tab(browser: Browser) -> Browser:
    targets = browser.call("Target.getTargets")["targetInfos"]
    tab = next(one["targetId"] for one in targets if one["type"] == "page")
    browser.session = browser.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log"):
        browser.call(f"{domain}.enable")
    return browser
