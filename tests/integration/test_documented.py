"""README and docs, run: every command of every block, in order, in a fresh folder with a cluster of its own.

Only sizes differ from what is written: the sky of the README is made at a twentieth and goes in without Ray, loads last
seconds, the workload `quick` asks a fifth of its queries, and reports are drawn where no other page has one like it.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.asking import ASK_EVERY_S
from tests.support.documented import PAGES, ROOT, Block, blocks, name_of
from tests.support.warm_processes import run_program, run_warm

from skyshard.host.shipped_data import data_file, data_folder

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

FEWER_QUERIES = "fewer/workloads/quick.yaml"
FEWER_VISITS = "fewer/hsc.yaml"
FOR_A_SHELL = re.compile(r"[|<>&;$*?`]")
SKYSHARD = Path(sys.executable).with_name("skyshard")
SMALLER = {
    "skyshard synth tiny --out sky": "--fraction 0.05",
    "skyshard synth tiny --out look": "--fraction 0.05",
    "skyshard synth tiny --out half": "--seed 20260701 --fraction 0.02",
    "skyshard synth --as ": "--objects 300 --columns few",
    "skyshard ingest sky": "--runtime inline",
    "skyshard ingest w2": "--runtime inline",
    "skyshard ingest synth/recipes/mini.yaml": "--runtime inline",
    "skyshard drop hsc_w24": "--yes",
    "skyshard replicas repair tiny --drop-lost": "--yes",
    "skyshard bench run quick": "--leave-out FTSFSrc,joinObjSrc,joinObjFSrc,nearN,FTSSrc",
    "skyshard bench run quick --database ": "--no-page",
    "skyshard bench run quick --scan rows": "--no-page",
    "skyshard bench run quick --no-check --out trial": "--no-page",
    "skyshard bench run kpm-50 --duration 15": "--duration 2 --no-page",
    "skyshard bench run steady --duration 20": "--duration 4 --no-page",
    "skyshard bench calibrate --out small": "--thin 0.2,0.4 --leave-out FTSFSrc,joinObjSrc,joinObjFSrc,nearN",
}
"""What is added to a command, so that a page takes seconds."""
BEFORE = {
    "docs/how-to/queries.md": [
        "skyshard cluster start --nodes 2",
        "skyshard synth tiny --out sky",
        "skyshard ingest sky",
    ],
    "docs/how-to/replicas.md": [
        "skyshard cluster start --nodes 2",
        "skyshard synth tiny --out sky --fraction 0.02",
        "skyshard ingest sky --database tiny --replicas 2",
    ],
    "docs/how-to/backup.md": [
        "skyshard cluster start --nodes 2",
        "skyshard synth tiny --out sky --fraction 0.02",
        "skyshard ingest sky --database tiny --replicas 2",
    ],
    "docs/how-to/nodes.md": [
        "skyshard cluster start --nodes 2",
        "skyshard synth tiny --out sky --fraction 0.02",
        "skyshard ingest sky --database tiny",
    ],
    "docs/how-to/moves.md": [
        "skyshard cluster start --nodes 3",
        "skyshard synth tiny --out sky --fraction 0.02",
        "skyshard ingest sky --database tiny --replicas 2",
    ],
    "docs/how-to/recipes.md": [
        "skyshard cluster start --nodes 3",
        "skyshard synth tiny --out sky --fraction 0.02",
        "skyshard ingest sky --database tiny --replicas 2",
    ],
    "docs/how-to/doors.md": [
        "skyshard cluster start --nodes 2",
        "skyshard synth tiny --out sky --fraction 0.02",
        "skyshard ingest sky --database tiny",
    ],
    "docs/how-to/obscore.md": [
        "skyshard cluster start --nodes 2",
        f"skyshard ingest {FEWER_VISITS} --fraction 0.01 --runtime inline --tables Object,VisitDetector",
    ],
    "docs/how-to/releases.md": [
        "skyshard cluster start --nodes 2",
        "skyshard synth mini --out sky",
        *(f"skyshard ingest sky --database hsc_{week}" for week in ("w22", "w23", "w24", "w25")),
    ],
}
"""What a page's first sentence asks for."""
MAY_BE = {"skyshard bench compare": {0, 1}, "skyshard replicas explain": {0, 2}, "skyshard replicas verify": {0, 1}}
"""Exit codes where 0 is not the only one: two trials of one release may differ on a busy machine, a small sky may lack
the chunk that a page names, and a page may have damaged what is verified."""
NOT_OURS = ("make", "pytest", ".", "docker", "kubectl", "SKYSHARD_")
RUN = [page for page in PAGES if any(block.commands and not block.why_not for block in blocks(page))]


@pytest.fixture
def folder(short_folder: Path) -> Iterator[Path]:
    """A folder like the root of the clone, and the cluster that was started there stopped."""
    made = short_folder / "page"
    made.mkdir()
    for name in ("synth", "ingest", "queries"):
        (made / name).symlink_to(ROOT / name)
    write_quick(made / FEWER_QUERIES)
    write_hsc(made / FEWER_VISITS)
    yield made
    run("skyshard cluster destroy", made)
    shutil.rmtree(made)


def write_quick(file: Path) -> None:
    """The shipped workload with a fifth of the queries of each class."""
    workload = yaml.safe_load(data_file("queries", "workloads", "quick.yaml").read_text())
    for phase in workload["phases"]:
        for one in phase["classes"]:
            one["count"] = -(-one["count"] // 5)
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump(workload))
    (file.parents[1] / "sql").symlink_to(data_folder("queries", "sql"))


def write_hsc(file: Path) -> None:
    """The shipped recipe with a sixteenth of the detectors, each of which is a row of ObsCore."""
    recipe = yaml.safe_load(data_file("synth", "recipes", "hsc.yaml").read_text())
    recipe["visits"]["detectors_per_side"] = 3
    file.write_text(yaml.safe_dump(recipe))


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line as a shell runs it, with our own skyshard. Where it has nothing for the shell, there is none."""
    for start, more in SMALLER.items():
        is_small = "--fraction " in command and more.startswith("--fraction ")
        command += f" {more}" if command.startswith(start) and not is_small else ""
    command = command.replace("bench run quick ", f"bench run {FEWER_QUERIES} ")
    environment = clean_environment()
    if command.startswith("skyshard ") and not FOR_A_SHELL.search(re.sub('"[^"]*"', "", command)):
        return run_warm(shlex.split(command)[1:], environment, folder)
    return subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def clean_environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "SKYSHARD_CLUSTER"}
    return environment | {"PATH": f"{SKYSHARD.parent}:{environment['PATH']}"}


def check(command: str, folder: Path) -> str:
    """Run a line; its output. Fails unless it ends as it should."""
    found = run(command, folder)
    allowed = next((codes for start, codes in MAY_BE.items() if command.startswith(start)), {0})
    assert found.returncode in allowed, f"{command}: {found.returncode}: {found.stdout[-300:]} {found.stderr[-500:]}"
    return found.stdout


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_every_command_of_a_page_runs(page: Path, folder: Path) -> None:
    """In order, each with what those before it left."""
    for command in BEFORE.get(name_of(page), []):
        check(command, folder)
    number = ""
    for block in blocks(page):
        if block.why_not:
            continue
        if block.kind == "python":
            run_shown(block, folder, is_cold=page.name == "README.md")
        for command in block.commands:
            if command.startswith(NOT_OURS):
                continue
            command = re.sub(r"(status|result|cancel) 7", rf"\1 {number}", command)
            if command.startswith("skyshard result"):
                wait_ended(number, folder)
            printed = check(command, folder)
            number = printed.split()[0] if command.startswith("skyshard submit") else number


def wait_ended(query: str, folder: Path) -> None:
    """Until a submitted query is queued or executing no more."""
    deadline = time.monotonic() + 200
    while re.search("queued|executing", check(f"skyshard status {query}", folder)):
        assert time.monotonic() < deadline
        time.sleep(ASK_EVERY_S)


def run_shown(block: Block, folder: Path, *, is_cold: bool) -> None:
    """A program of a page: as a user starts it, or in a process that need not read ours anew."""
    file = folder / "program.py"
    file.write_text(block.text)
    if is_cold:
        check(f"{sys.executable} program.py", folder)
        return
    found = run_program(file, clean_environment(), folder)
    assert found.returncode == 0, f"{block.text}: {found.returncode}: {found.stdout[-300:]} {found.stderr[-500:]}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_programs_that_are_not_run_import_what_there_is(page: Path) -> None:
    """Their names exist."""
    for block in blocks(page):
        if block.kind == "python":
            tree = ast.parse(block.text)
            tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            exec(compile(tree, name_of(page), "exec"), {})
