"""How often experiments without effects show one: real trials, dealt out anew to the cells of their blocks.

    python benchmarks/false_alarms.py FILE OUT [--draws 200]

FILE is an experiment file, such as ``queries/experiments/nothing.yaml``, OUT the folder that ``skyshard bench
experiment`` left, or is to leave: missing trials are run. Within each block the trials get the cells in a random order,
so that no cell differs from another but by chance; noise, drift and outliers are the machine's own. Each draw is
analysed as an experiment; one that shows any effect, of a factor or of a pair, is a false alarm. Exit code 1 when there
are more of them than chance gives one run in a hundred at a rate of 5 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import binom

import skyshard
from skyshard.bench.experiment.analyse import Collected, analyse
from skyshard.bench.experiment.block_order import block_order
from skyshard.bench.experiment.cells import make_design
from skyshard.bench.experiment.experiment_file import read_experiment
from skyshard.bench.experiment.trial_numbers import TrialNumbers
from skyshard.bench.record.environment import capture_environment

RATE = 0.05
"""Most false alarms that a page promises."""
LEAST_CHANCE = 0.01


def read_trials(out: Path) -> list[TrialNumbers]:
    files = sorted((out / "trials").glob("b*/numbers.json"))
    return [TrialNumbers.model_validate_json(file.read_bytes()) for file in files]


def dealt(trials: Sequence[TrialNumbers], random: np.random.Generator) -> list[TrialNumbers]:
    """The trials of each block with their cells in a random order."""
    found = []
    for block in sorted({trial.block for trial in trials}):
        mine = [trial for trial in trials if trial.block == block]
        cells = random.permutation([trial.cell for trial in mine]).tolist()
        found += [trial.model_copy(update={"cell": cell}) for trial, cell in zip(mine, cells, strict=True)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--draws", type=int, default=200)
    given = parser.parse_args()
    skyshard.run_experiment(given.file, given.out)
    read = read_experiment(given.file)
    design = make_design(read)
    order = block_order([cell.number for cell in design.cells], read.file.trials, read.file.seed)
    whole = Collected(read.file, read.digest, design, order, read_trials(given.out), {}, capture_environment())
    random = np.random.default_rng(20261128)
    alarms = 0
    for _ in range(given.draws):
        found = analyse(replace(whole, trials=dealt(whole.trials, random)))
        alarms += any(one.is_shown for one in found.effects)
    chance = float(binom.sf(alarms - 1, given.draws, RATE))
    told = {"draws": given.draws, "false_alarms": alarms, "trials": len(whole.trials), "as_many_by_chance": chance}
    print(json.dumps(told))
    sys.exit(1 if chance < LEAST_CHANCE else 0)


if __name__ == "__main__":
    main()
