"""Faults that a scenario has on a cluster, kept in ``<cluster>/faults`` as long as they are on.

Rules: a fault is written down before it is had, and removed when it is undone; so what a killed benchmark leaves is
known to the next command, and ``skyshard cluster start`` takes it back. A damaged file that somebody has made anew
since is left as it is, and nothing comes back of a table or a node that was removed since.

    faults/<process>-<event>.json   what is on
    faults/<process>-<event>/       copies of the files that it damaged
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skyshard.basics.errors import ClusterError, UserError, words_of
from skyshard.cluster.cluster import CZAR_NAME, MONO_NAME, Cluster
from skyshard.cluster.cluster_folder import private_folder
from skyshard.cluster.run_servers import Report
from skyshard.db.connection import Account, connect
from skyshard.host.atomic_files import new_file, write_atomically
from skyshard.host.processes import is_left, own_name

FOLDER = "faults"
COMMAND_S = 60.0
"""Seconds that a command of a scenario may take."""
SHOWN_CHARACTERS = 120
"""Of a command in an error."""
_STATES = {"kill": "was killed", "stop": "is frozen", "clock": "has a wrong clock", "corrupt": "has damaged files"}


class DamagedFile(BaseModel):
    """A data file that was damaged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    copied_to: str
    """Its content from before: the name of a file in the fault's folder."""
    damaged: str
    """Digest of its damaged content; empty where the file was removed."""


class KeptFault(BaseModel):
    """One fault that is on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    owner: str
    """The process that has it, as ``host.processes`` names it."""
    scenario: str
    number: int
    """Of the event in the scenario."""
    do: str
    node: str
    undo: str = ""
    """A line for ``sh`` that takes it back; empty for what Skyshard does itself."""
    host: str = ""
    """Of the node, for the line."""
    files: list[DamagedFile] = Field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.owner.split()[1]}-{self.number}"

    @property
    def sentence(self) -> str:
        """For people: ``node2 is frozen``."""
        state = _STATES.get(self.do, f"has the fault {self.do}")
        return f"{self.node or 'the cluster'} {state} (scenario {self.scenario}, event {self.number})"


def new_fault(scenario: str, number: int, do: str, node: str, undo: str = "", host: str = "") -> KeptFault:
    """A fault that this process is about to have."""
    return KeptFault(
        version=1, owner=own_name(), scenario=scenario, number=number, do=do, node=node, undo=undo, host=host
    )


def has_faults(folder: Path) -> bool:
    """Whether any fault may be on in the cluster of a folder: one look at the disk."""
    return (folder / FOLDER).is_dir()


def keep(cluster: Cluster, fault: KeptFault) -> Path:
    """Write a fault down; returns the folder for copies of files."""
    folder = private_folder(cluster.folder / FOLDER)
    write_atomically(folder / f"{fault.key}.json", fault.model_dump_json(indent=1) + "\n", is_synced=True)
    return private_folder(folder / fault.key)


def forget(cluster: Cluster, fault: KeptFault) -> None:
    """Remove what was written down of a fault."""
    folder = cluster.folder / FOLDER
    (folder / f"{fault.key}.json").unlink(missing_ok=True)
    shutil.rmtree(folder / fault.key, ignore_errors=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def left_faults(folder: Path) -> list[KeptFault]:
    """Faults whose benchmark is gone.

    Raises:
        UserError: a record is not readable.
    """
    found = [_read(file) for file in sorted((folder / FOLDER).glob("*.json"))]
    return [one for one in found if is_left(one.owner)]


def _read(file: Path) -> KeptFault:
    try:
        text = file.read_bytes()
        return KeptFault.model_validate_json(text)
    except (OSError, ValidationError) as error:
        remedy = "remove it, and look after the servers with `skyshard cluster status`"
        raise UserError(f"{file} is not readable as a fault: {words_of(error)}", remedy=remedy) from None


def thaw_left(cluster: Cluster) -> None:
    """Let frozen servers go on, before anything asks them."""
    for fault in left_faults(cluster.folder):
        if fault.do == "stop" and not fault.undo and not _is_gone(cluster, fault):
            cluster.thaw_server(fault.node)


def _is_gone(cluster: Cluster, fault: KeptFault) -> bool:
    """Its node was removed since."""
    return bool(fault.node) and fault.node not in (CZAR_NAME, MONO_NAME, *cluster.node_names)


def take_back_left(cluster: Cluster, report: Report) -> None:
    """Undo every fault whose benchmark is gone; the servers run.

    Raises:
        ClusterError: one cannot be undone; it stays written down.
    """
    for fault in left_faults(cluster.folder):
        take_back(cluster, fault)
        report(f"took back a fault that a scenario had left: {fault.sentence}")
        if fault.files:
            report("run `skyshard replicas verify` and `skyshard replicas repair`: queries may have left its replicas")


def take_back(cluster: Cluster, fault: KeptFault) -> None:
    """Undo one fault and forget it.

    Raises:
        ClusterError: that fails; it stays written down.
    """
    if fault.undo:
        run_command(fault.undo, cluster, fault)
    elif _is_gone(cluster, fault):
        pass  # the fault went with it
    elif fault.do == "stop":
        cluster.thaw_server(fault.node)
    elif fault.do == "kill":
        cluster.start_server(fault.node)
    elif fault.do == "clock":
        cluster.stop_server(fault.node)
        cluster.start_server(fault.node)
    elif fault.do == "corrupt":
        _bring_back_files(cluster, fault)
    forget(cluster, fault)


def _bring_back_files(cluster: Cluster, fault: KeptFault) -> None:
    for one in fault.files:
        bring_back(one, cluster.folder / FOLDER / fault.key / one.copied_to)
    with connect(cluster.endpoint(fault.node), Account.ADMIN) as connection:
        connection.execute("FLUSH TABLES")


def bring_back(file: DamagedFile, copied: Path) -> None:
    """Give a file the content from before, where it is as it was damaged, and of a table that is still there."""
    path = Path(file.path)
    is_there = path.with_suffix(".frm").exists()  # else it was moved, merged or dropped
    if is_there and copied.exists() and digest_of(path) == file.damaged:
        with new_file(path) as draft:
            shutil.copy2(copied, draft)


def digest_of(path: Path) -> str:
    """Of a file's content; empty where there is none."""
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except FileNotFoundError:
        return ""


def run_command(line: str, cluster: Cluster, fault: KeptFault, more: Mapping[str, str] | None = None) -> None:
    """Run a line of a scenario in ``sh``, with the node and its host in the environment.

    Raises:
        ClusterError: it ends with another exit code than 0, or does not end.
    """
    named = {"SKYSHARD_CLUSTER": str(cluster.folder), "SKYSHARD_NODE": fault.node, "SKYSHARD_HOST": fault.host}
    environment = {**os.environ, **named, **(more or {})}
    try:
        done = subprocess.run(
            ["sh", "-c", line], env=environment, capture_output=True, text=True, timeout=COMMAND_S, check=False,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"`{_named(line)}` did not end within {COMMAND_S:g} s", remedy="see the node's host"
        ) from None
    if done.returncode:
        said = next(_last_lines(done.stderr, done.stdout), "it said nothing")
        raise ClusterError(f"`{_named(line)}` ended with exit code {done.returncode}: {said}", remedy="try it by hand")


def _named(line: str) -> str:
    """A command as an error names it: in one line, and not too long."""
    words = " ".join(line.split())
    return words if len(words) <= SHOWN_CHARACTERS else f"{words[: SHOWN_CHARACTERS - 1]}…"


def _last_lines(*texts: str) -> Iterator[str]:
    for text in texts:
        yield from text.strip().splitlines()[-1:]
