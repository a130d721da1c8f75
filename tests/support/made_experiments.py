"""Experiments whose trials are made up: known effects, drift of blocks, noise; no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from skyshard.bench.experiment.analyse import Collected
from skyshard.bench.experiment.block_order import PlannedTrial, block_order
from skyshard.bench.experiment.cells import Cell, Design, make_design
from skyshard.bench.experiment.experiment_file import ReadExperiment, read_experiment
from skyshard.bench.experiment.trial_numbers import Build, ClassNumbers, TrialNumbers
from skyshard.bench.record.environment import Environment

MACHINE = Environment(
    skyshard="0", revision="", python="3", packages={}, cpu_model="made", cores=2, memory_bytes=1 << 34, kernel="Linux"
)
HEAD = "version: 1\nname: made\nworkload: quick\nrecipe: mini\n"
Log = Callable[[Mapping[str, object]], float]
"""The logarithm of a class's median in a cell, by its levels."""


def written(folder: Path, text: str, name: str = "made.yaml", head: str = HEAD) -> Path:
    """An experiment file with the usual first lines."""
    path = folder / name
    path.write_text(head + text)
    return path


def made_trials(
    file: Path, classes: Mapping[str, Log], *, noise: Callable[[], float], drift: Callable[[int], float] = lambda _: 0.0
) -> Collected:
    """An experiment in which every trial ran; ``noise`` is drawn for each class of each trial."""
    read, design, order = _planned(file, file.read_text())
    cells = {cell.number: cell for cell in design.cells}
    trials = [_trial(planned, cells[planned.cell], classes, noise, drift) for planned in order]
    build = Build(ingest_s=2.0, stages_s={}, rows=1000, bytes=1 << 20, data_digest="d", server="MariaDB 11")
    builds = {number: [build] for number in cells}
    return Collected(read.file, read.digest, design, list(order), trials, builds, MACHINE)


@lru_cache(maxsize=4)
def _planned(file: Path, text: str) -> tuple[ReadExperiment, Design, list[PlannedTrial]]:
    """The experiment of a file that has this text, with its cells and the order of its trials."""
    read = read_experiment(file)
    design = make_design(read)
    return read, design, block_order([cell.number for cell in design.cells], read.file.trials, read.file.seed)


def _trial(
    planned: PlannedTrial,
    cell: Cell,
    classes: Mapping[str, Log],
    noise: Callable[[], float],
    drift: Callable[[int], float],
) -> TrialNumbers:
    numbers = [
        ClassNumbers(
            phase="alone", class_name=name, n=20, errors=0, wrong=0,
            median_s=float(np.exp(log(cell.all) + drift(planned.block) + noise())),
        )
        for name, log in classes.items()
    ]  # fmt: skip
    asked = f"asked in {planned.block}"
    return TrialNumbers(
        version=1, block=planned.block, cell=planned.cell, elapsed_s=1.0, statements=asked, answers=asked,
        classes=numbers,
    )  # fmt: skip
