"""The folder of an experiment: what was planned, which trials are done, what failed; a killed run goes on from it.

    OUT/plan.json              the file as it was read, digests of what it names, warm or cold; written first
    OUT/skies/                 synthetic skies, while they are needed
    OUT/setups/s01/            the cluster of a set-up, and ``complete`` when its catalog is in it
    OUT/builds/s01.json        what each ingest of a set-up cost
    OUT/trials/b01-c02/        a trial folder, and ``numbers.json``; it gets its name when it is complete
    OUT/trials/b01-c02.failed  why a trial failed; it is tried again by the next run
    OUT/experiment.json, .html, .md

One run at a time works on a folder (a lock on it, which ends with the process).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from skyshard.basics.errors import UserError
from skyshard.bench.experiment.block_order import PlannedTrial
from skyshard.bench.experiment.cells import Design
from skyshard.bench.experiment.experiment_file import ReadExperiment, first_change
from skyshard.bench.experiment.trial_numbers import Build, TrialNumbers
from skyshard.catalog.strict_files import Strict, read_written
from skyshard.host.atomic_files import write_atomically
from skyshard.host.output_folder import REMEDY, require_writable, writing_to

PLAN, NUMBERS, COMPLETE = "plan.json", "numbers.json", "complete"


class ExperimentPlan(Strict):
    """``plan.json``: what the folder was begun with."""

    version: Literal[1]
    file_digest: str
    content: dict[str, Any]
    """The file's, as the model dumps it."""
    inputs: dict[str, str]
    """Digests of the workloads, recipes and layouts that the file names, and of ``choice_of_cells``."""
    is_cold: bool


class Builds(Strict):
    """``builds/s01.json``."""

    version: Literal[1]
    builds: list[Build]


class ExperimentFolder:
    """The folder; constructing one touches nothing."""

    def __init__(self, out: Path) -> None:
        self.out = out.absolute()

    def check(self, read: ReadExperiment, plan: ExperimentPlan) -> None:
        """Make sure that this experiment can begin or go on here; makes nothing.

        Raises:
            UserError: the folder holds something else, another experiment, or cannot be written; or the file, or one
                that it names, has changed since.
        """
        with writing_to(self.out):
            if self.out.exists() and not self.out.is_dir():
                raise UserError(f"'{self.out}' is no folder", remedy=REMEDY)
            if not (self.out / PLAN).exists():
                if self.out.exists() and any(self.out.iterdir()):
                    raise UserError(f"'{self.out}' holds something else", remedy=REMEDY)
                require_writable(self.out)
                return
        before = read_written(ExperimentPlan, self.out / PLAN, f"remove '{self.out}', or {REMEDY}")
        _refuse_changes(read, before, plan, self.out)

    def begin(self, plan: ExperimentPlan) -> None:
        """Make the folder and its plan, unless they are there."""
        self.out.mkdir(parents=True, exist_ok=True)
        for name in ("trials", "setups", "builds", "skies"):
            (self.out / name).mkdir(exist_ok=True)
        if not (self.out / PLAN).exists():
            write_atomically(self.out / PLAN, plan.model_dump_json(indent=1) + "\n", is_synced=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; UserError when another run does."""
        handle = os.open(self.out, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise UserError(f"another run works on '{self.out}'", remedy=f"wait for its end, or {REMEDY}") from None
        try:
            yield
        finally:
            os.close(handle)

    def setup(self, number: int) -> Path:
        return self.out / "setups" / f"s{number:02}"

    def sky(self, number: int) -> Path:
        return self.out / "skies" / f"k{number:02}"

    def trial(self, planned: PlannedTrial) -> Path:
        return self.out / "trials" / planned.name

    def work_folder(self, planned: PlannedTrial) -> Path:
        """An empty place for a trial that runs; what a killed run left there is removed."""
        folder = self.out / "trials" / f".{planned.name}"
        shutil.rmtree(folder, ignore_errors=True)
        return folder

    def keep(self, planned: PlannedTrial, numbers: TrialNumbers) -> None:
        """Give a trial that has run its numbers and its name."""
        work = self.out / "trials" / f".{planned.name}"
        (work / NUMBERS).write_text(numbers.model_dump_json(indent=1) + "\n", encoding="utf-8")
        work.rename(self.trial(planned))
        self._failed(planned).unlink(missing_ok=True)

    def numbers(self, planned: PlannedTrial) -> TrialNumbers | None:
        """The numbers of a trial; None when it has not run yet."""
        file = self.trial(planned) / NUMBERS
        return read_written(TrialNumbers, file, f"remove '{file.parent}'") if file.exists() else None

    def fail(self, planned: PlannedTrial, reason: str) -> None:
        shutil.rmtree(self.out / "trials" / f".{planned.name}", ignore_errors=True)
        self._failed(planned).write_text(reason + "\n", encoding="utf-8")

    def failure(self, planned: PlannedTrial) -> str:
        """Why a trial failed; empty when it did not."""
        file = self._failed(planned)
        return file.read_text(encoding="utf-8").strip() if file.exists() else ""

    def _failed(self, planned: PlannedTrial) -> Path:
        return self.out / "trials" / f"{planned.name}.failed"

    def builds(self, setup: int) -> list[Build]:
        """What the ingests of a set-up cost, in their order."""
        file = self.out / "builds" / f"s{setup:02}.json"
        return read_written(Builds, file, f"remove '{file}'").builds if file.exists() else []

    def add_build(self, setup: int, build: Build) -> None:
        content = Builds(version=1, builds=[*self.builds(setup), build])
        write_atomically(self.out / "builds" / f"s{setup:02}.json", content.model_dump_json(indent=1) + "\n")


def _refuse_changes(read: ReadExperiment, before: ExperimentPlan, plan: ExperimentPlan, out: Path) -> None:
    """UserError when the folder was begun with something else; the first difference is named."""
    if before.file_digest != plan.file_digest and (found := first_change(before.content, plan.content)):
        key, old, new = found
        raise read.fault(
            [key], f"it is {_short(new)}, but '{out}' was begun with {_short(old)}", f"put it back, or {REMEDY}"
        )
    if changed := first_change(before.inputs, plan.inputs):
        what = f"'{changed[0]}' has changed since '{out}' was begun"
        raise UserError(f"'{read.path}': {what}", remedy=f"put it back, or {REMEDY}")
    if before.is_cold != plan.is_cold:
        state = "cold" if before.is_cold else "warm"
        remedy = f"{'give' if before.is_cold else 'drop'} --cold, or {REMEDY}"
        raise UserError(f"'{out}' was begun with {state} trials", remedy=remedy)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def plan_of(read: ReadExperiment, inputs: Mapping[str, str], *, is_cold: bool) -> ExperimentPlan:
    """The plan of an experiment that was read."""
    content = read.file.model_dump(mode="json", exclude={"description"})
    return ExperimentPlan(version=1, file_digest=read.digest, content=content, inputs=dict(inputs), is_cold=is_cold)


def choice_of_cells(design: Design) -> dict[str, str]:
    """A digest of the cells of a fraction where another release or machine may choose others: trials know numbers only.

    Up to ten factors of two levels have had the same fraction since there are fractions.
    """
    counts = [len(levels) for levels in design.factors.values()]
    if design.kind != "fractional" or (set(counts) == {2} and len(counts) <= 10):
        return {}
    text = "\n".join(cell.label for cell in design.cells)
    return {"choice of cells": hashlib.sha256(text.encode()).hexdigest()[:16]}
