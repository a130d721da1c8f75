"""An experiment on real servers: killed with -9 and gone on with; a cell that fails does not end the others."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.compute as pc
import pytest
from tests.support.depth import drawn
from tests.support.made_experiments import MACHINE
from typer.testing import CliRunner

from skyshard.basics.errors import SkyshardError
from skyshard.bench.experiment.experiment_result import ExperimentResult
from skyshard.bench.record.trial_folder import read_trial
from skyshard.cli.app import app
from skyshard.host.shipped_data import data_folder
from skyshard.scenarios.experiment.build_setup import discard

pytestmark = pytest.mark.timeout(900)  # six starts of clusters, which take their time on a busy machine
WORKLOAD = """
version: 1
name: few
description: A few look-ups and a scan.
database: tiny
seed: 3
check_answers: false
phases:
  - name: alone
    classes:
      - {class: LV, templates: [object_by_id, cone], arrivals: {loop: closed, clients: 2}, count: 12}
      - {class: FTSObj, templates: [density], count: 2}
"""
FILE = """
version: 1
name: nodes
workload: queries/workloads/few.yaml
recipe: mini
factors: {nodes: [1, 2]}
hold: {fraction: 0.2}
trials: 2
"""


@pytest.fixture
def folder(short_folder: Path) -> Iterator[Path]:
    """A folder with the experiment and its workload; no server is left when the test ends."""
    made = Path(tempfile.mkdtemp(prefix="experiment-", dir=short_folder))
    (made / "queries" / "workloads").mkdir(parents=True)
    (made / "queries" / "sql").symlink_to(data_folder("queries", "sql"))
    (made / "queries" / "workloads" / "few.yaml").write_text(WORKLOAD)
    (made / "nodes.yaml").write_text(FILE)
    yield made
    for setup in (made / "out" / "setups").glob("s*"):
        discard(setup)


def servers(folder: Path) -> list[int]:
    """Processes of servers whose data are below a folder."""
    option = f"--datadir={folder}/"
    found = psutil.process_iter(["cmdline"])
    return [one.pid for one in found if any(word.startswith(option) for word in one.info["cmdline"] or ())]


def trials(folder: Path) -> dict[str, float]:
    """Complete trials, with the time at which each was written."""
    found = sorted((folder / "out" / "trials").glob("b*/numbers.json"))
    return {file.parent.name: file.stat().st_mtime for file in found}


def run(folder: Path, *more: str) -> tuple[int, str]:
    result = CliRunner().invoke(
        app, ["bench", "experiment", str(folder / "nodes.yaml"), "--out", str(folder / "out"), *more]
    )
    if isinstance(result.exception, SkyshardError):
        return result.exception.exit_code, str(result.exception)
    return result.exit_code, result.output


def test_a_killed_experiment_goes_on_and_doubles_nothing(folder: Path) -> None:
    """After -9: servers are left; the next run stops them, keeps the trials that there are, and runs the others."""
    command = [sys.executable, "-m", "skyshard.cli.app", "bench", "experiment", str(folder / "nodes.yaml")]
    with (folder / "first.log").open("wb") as log:
        first = subprocess.Popen([*command, "--out", str(folder / "out")], stdout=log, stderr=log)
    while not (trials(folder) and [*(folder / "out" / "trials").glob(".b*")]) and first.poll() is None:
        time.sleep(0.02)
    first.kill()
    first.wait()
    kept = trials(folder)
    assert 1 <= len(kept) < 4, (folder / "first.log").read_text()
    assert servers(folder / "out")

    (folder / "nodes.yaml").write_text(FILE.replace("trials: 2", "trials: 3"))
    code, text = run(folder)
    assert (code, trials(folder)) == (2, kept)
    assert "key 'trials': it is 3, but" in text

    (folder / "nodes.yaml").write_text(FILE)
    code, text = run(folder)
    assert code == 0, text
    assert set(trials(folder)) == {"b01-c01", "b01-c02", "b02-c01", "b02-c02"}
    assert kept.items() <= trials(folder).items()
    assert servers(folder / "out") == []
    assert list((folder / "out" / "setups").iterdir()) == []

    result = ExperimentResult.model_validate_json((folder / "out" / "experiment.json").read_bytes())
    assert [cell.trials for cell in result.cells] == [2, 2]
    assert {(one.phase, one.class_name) for one in result.classes} == {("alone", "LV"), ("alone", "FTSObj")}
    assert all(cell.bytes and cell.ingest_s for cell in result.cells)
    assert any("one digest" in sentence for sentence in result.held_sentences)
    assert any("same statements" in sentence for sentence in result.held_sentences)
    assert result.machine != MACHINE
    code, text = run(folder, "--json")
    assert code == 0
    assert json.loads(text[text.index("{") :])["trials_done"] == 4


def test_a_cell_that_fails_is_recorded_and_the_others_go_on(folder: Path) -> None:
    """Exit code 1; the reason stands in the result. Cold trials read from disk."""
    text = FILE.replace("factors: {nodes: [1, 2]}", "factors: {layout: [good.yaml, bad.yaml]}")
    (folder / "nodes.yaml").write_text(text.replace("trials: 2", "trials: 1").replace("fraction: 0.2", "nodes: 1"))
    layout = "striping: {stripes: 85, substripes: 12, overlap_deg: 0.01667}\n"
    (folder / "good.yaml").write_text(layout)
    (folder / "bad.yaml").write_text(f"{layout}tables:\n  Nothing: {{role: director, key: id}}\n")
    code, text = run(folder, "--cold")
    assert code == 1, text
    result = ExperimentResult.model_validate_json((folder / "out" / "experiment.json").read_bytes())
    assert [cell.trials for cell in result.cells] == [1, 0]
    assert "Nothing" in result.cells[1].failures[0]
    assert result.is_cold
    assert servers(folder / "out") == []


def test_rows_and_columns_are_levels_of_a_factor(folder: Path) -> None:
    """In one cluster, which has column images; the scan of the cell by columns read these, and only that."""
    text = FILE.replace("factors: {nodes: [1, 2]}", "factors: {scan: [rows, columns]}")
    (folder / "nodes.yaml").write_text(text.replace("trials: 2", "trials: 1").replace("fraction: 0.2", "fraction: 1.0"))
    code, said = run(folder, "--keep")
    assert code == 0, said
    assert len([*(folder / "out" / "setups").iterdir()]) == 1
    read = {}
    for cell in (1, 2):
        samples = read_trial(folder / "out" / "trials" / f"b01-c0{cell}").samples
        scans = samples.filter(pc.equal(samples["class"], "FTSObj"))
        read[cell] = pc.sum(scans["column_bytes"]).as_py()
    assert read[1] == 0 < read[2]
    result = ExperimentResult.model_validate_json((folder / "out" / "experiment.json").read_bytes())
    assert [cell.label for cell in result.cells] == ["scans as rows", "scans by columns"]


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ("{set.key_bufer_size: [8M, 64M]}", "did you mean 'key_buffer_size'"),
        ("{set.key_buffer_size: [8M, lots]}", "MariaDB"),
        ("{set.datadir: [a, b]}", "cannot be chosen"),
        ("{set.key_buffer_size: [8M, 9M], set.key-buffer-size: [7M, 8M]}", "are one setting"),
    ],
)
def test_a_setting_that_the_server_refuses_is_refused_before_anything_is_made(
    folder: Path, factors: str, words: str
) -> None:
    """By the server itself, with file and line."""
    (folder / "nodes.yaml").write_text(FILE.replace("{nodes: [1, 2]}", factors))
    code, text = run(folder)
    assert code == 2
    assert "nodes.yaml', line 6, key 'factors.set." in text
    assert words in text
    assert not (folder / "out").exists()


def test_settings_hold_in_the_cells_that_have_them(folder: Path) -> None:
    """The manifest of each trial has the czar's own value."""
    text = FILE.replace("{nodes: [1, 2]}", "{set.czar:key_buffer_size: [8M, 16M]}").replace("trials: 2", "trials: 1")
    (folder / "nodes.yaml").write_text(text.replace("fraction: 0.2", "fraction: 0.2, nodes: 1"))
    code, text = run(folder)
    assert code == 0, text
    for cell, size in (("c01", 8 << 20), ("c02", 16 << 20)):
        manifest = (folder / "out" / "trials" / f"b01-{cell}" / "manifest.json").read_text()
        assert str(size) in manifest


FAULTY = """
version: 1
name: dead
workload: queries/workloads/few.yaml
recipe: mini
factors: {replicas: [1, 2], scenario: [none, one_node_dies]}
hold: {fraction: 0.2, nodes: 2}
check_answers: true
trials: 1
"""


def test_a_dead_node_is_a_level_like_any_other(folder: Path) -> None:
    """At two copies no query fails, at one some do; every answer is right, and what failed is counted by cell.

    Queries go on for seconds: of a few, the last might end before the kill comes. Clients think, and leave cores free.
    """
    thinking = "arrivals: {loop: closed, clients: 2, think_time_s: 0.1}, duration_s: 4}"
    lasting = re.sub(r"(arrivals: {.*?}, )?count: \d+}", thinking, WORKLOAD)
    (folder / "queries" / "workloads" / "few.yaml").write_text(lasting)
    (folder / "nodes.yaml").write_text(FAULTY)
    code, text = run(folder)
    assert code == 0, text
    assert "cell '1 replica, one_node_dies': 1 node may be down at once" in text
    result = ExperimentResult.model_validate_json((folder / "out" / "experiment.json").read_bytes())
    cells = {cell.label: cell for cell in result.cells}
    assert {label: cell.trials for label, cell in cells.items()} == dict.fromkeys(cells, 1)
    assert [cell.wrong for cell in result.cells] == [0] * 4
    failed = {label: cell.errors for label, cell in cells.items()}
    assert failed.pop("1 replica, one_node_dies") > 0
    assert set(failed.values()) == {0}
    assert cells["2 replicas, one_node_dies"].failed_over_s is not None
    assert cells["2 replicas, no scenario"].failed_over_s is None
    assert "What failed in cells" in (folder / "out" / "experiment.html").read_text()
    assert servers(folder / "out") == []


WRONG_SCENARIOS = {
    "one_node_dyes": "there is no scenario 'one_node_dyes'",
    "cable_net": "'cable_out' cannot be had here",
    "node9": "the cluster has no node 'node9'",
}


@pytest.mark.parametrize("name", WRONG_SCENARIOS)
def test_a_scenario_that_cannot_be_had_is_refused_before_anything_is_made(name: str, folder: Path) -> None:
    """With the line of the experiment that asks for it."""
    for file, event in (("cable_net", "do: cable_out, node: node1"), ("node9", "do: kill, node: node9")):
        content = f"version: 1\nname: s\ndescription: x\nevents:\n  - {{{event}}}\n"
        (folder / f"{file}.yaml").write_text(content)
    level = name if name == "one_node_dyes" else f"{name}.yaml"
    (folder / "nodes.yaml").write_text(FAULTY.replace("one_node_dies", level))
    code, text = run(folder)
    assert code == 2
    assert WRONG_SCENARIOS[name] in text
    assert f"'{folder / 'nodes.yaml'}', line 6, key 'factors.scenario.1'" in text
    assert not (folder / "out").exists()


def test_a_front_door_is_a_level_like_any_other(folder: Path) -> None:
    """Each is opened on the cluster of its cell for its trials, answers as the czar does, and is gone afterwards."""
    targets = ["czar", *random.sample(("mysql", "tap", "qserv"), min(drawn(1), 3))]
    text = FILE.replace("factors: {nodes: [1, 2]}", f"factors: {{target: [{', '.join(targets)}]}}")
    text = text.replace("trials: 2", "trials: 1\ncheck_answers: true").replace(
        "fraction: 0.2", "fraction: 0.2, nodes: 1"
    )
    (folder / "nodes.yaml").write_text(text)
    code, said = run(folder)
    assert code == 0, said
    result = ExperimentResult.model_validate_json((folder / "out" / "experiment.json").read_bytes())
    assert [(one.label, one.trials, one.errors, one.wrong) for one in result.cells] == [
        (door, 1, 0, 0) for door in targets
    ]
    assert {one.node for one in result.servers if one.cell == 2} == {"czar", "node1"}
    assert all(one.median_s > 0 for cell in result.cells for one in cell.classes)
    left = psutil.process_iter(["cmdline"])
    assert not [one.pid for one in left if "serve" in (one.info["cmdline"] or []) and str(folder) in str(one.info)]
