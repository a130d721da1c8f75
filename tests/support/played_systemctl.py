"""A command in place of ``systemctl`` on hosts of a lab, where supervisors are started by the test and no systemd is.

It sends signals to all processes of a unit, which are found by the supervisor's words. ``start`` and ``restart`` ask
the test, which starts supervisors, and wait until it has done so.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import TracebackType

from tests.support.running_site import RunningSite

_COMMAND = """#!PYTHON
import pathlib, sys, time
import psutil

ASKED = pathlib.Path("ASKED_FILE")
verb, *words = sys.argv[1:]
node = words[-1].partition("@")[2] if words else ""

def of_the_unit():
    for one in psutil.process_iter(["cmdline"]):
        if " ".join(one.info["cmdline"] or []).find(f"node run {node} ") > 0:
            yield from (one, *one.children(recursive=True))

def send(name):
    number = getattr(__import__("signal"), f"SIG{name}")
    for one in set(of_the_unit()):
        try:
            one.send_signal(number)
        except psutil.NoSuchProcess:
            pass

if verb == "kill":
    send(words[0].partition("=")[2])
elif verb in ("start", "restart"):
    if verb == "restart":
        send("KILL")
    ASKED.write_text(node)
    while ASKED.exists():
        time.sleep(0.1)
elif verb not in ("daemon-reload", "reset-failed"):
    sys.exit(f"unknown command verb {verb}.")
"""


class PlayedSystemctl:
    """On the hosts of a site, as long as it is entered."""

    def __init__(self, site: RunningSite) -> None:
        self._site = site
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._start_what_is_asked)

    def _file(self, name: str) -> Path:
        return self._site.lab[name].folder / "bin" / "systemctl"

    def _start_what_is_asked(self) -> None:
        while not self._is_over.wait(0.1):
            for host in self._site.nodes:
                asked = host.folder / "asked"
                if asked.exists():
                    self._site.supervisors[host.name].wake()
                    self._site.supervisors[host.name].wait()
                    self._site.launch(host.name)
                    asked.unlink()

    def __enter__(self) -> PlayedSystemctl:
        for host in self._site.nodes:
            file = self._file(host.name)
            file.parent.mkdir(exist_ok=True)
            asked = str(self._site.lab.own / "asked")
            file.write_text(_COMMAND.replace("PYTHON", sys.executable).replace("ASKED_FILE", asked))
            file.chmod(0o755)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()
        for host in self._site.nodes:
            self._file(host.name).unlink()
            self._site.supervisors[host.name].wake()  # what waits for a process here stops with it, and stays so
