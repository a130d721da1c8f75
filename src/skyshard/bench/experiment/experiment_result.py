"""What an experiment found, as ``experiment.json`` holds it: strict models. No I/O."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from skyshard.bench.experiment.factors import Value
from skyshard.bench.experiment.server_numbers import CellServer
from skyshard.bench.experiment.visit_cells import CellVisits
from skyshard.bench.record.environment import Environment
from skyshard.catalog.strict_files import Strict


class Effect(Strict):
    """One effect on one class: a ratio of medians."""

    phase: str
    class_name: str
    factor: str
    level: Value
    against: Value
    other: str = ""
    """Of a pair of factors: the second one. The ratio then is what ``level`` and ``other_level`` do together, beyond
    what each does alone."""
    other_level: Value = ""
    other_against: Value = ""
    ratio: float
    low: float | None
    """The interval excludes 1 exactly where the effect is shown; None with a single block."""
    high: float | None
    p: float
    """Corrected for all effects of the experiment: the exact test's."""
    is_shown: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.phase, self.class_name

    @property
    def is_pair(self) -> bool:
        return bool(self.other)


class CellMedian(Strict):
    """One class in one cell."""

    phase: str
    class_name: str
    median_s: float
    """Geometric mean of the trials' medians, at the average block."""
    trials: int
    errors: int
    wrong: int
    is_best: bool
    """The fastest cell, or not shown to be slower than it."""


class CellResult(Strict):
    """One cell."""

    number: int
    label: str
    levels: dict[str, Value]
    trials: int
    """That ended well."""
    failures: list[str]
    """Why others did not."""
    ingest_s: float | None
    """Median over the builds of its set-up; of visits the time of all stores of a trial, the median over trials."""
    ingest_rows_per_s: float | None
    builds: int
    bytes: int | None
    """On disk: its catalog on all nodes and the czar; of visits the tables of its store at the end."""
    classes: list[CellMedian]
    errors: int = 0
    """Failed queries of all its trials."""
    wrong: int = 0
    """Wrong answers of all its trials."""
    failed_over_s: float | None = None
    """Of a scenario: the median over trials of the longest fail-over; None where there was none."""
    answers_lost: float | None = None
    """Of a scenario: good answers that it cost, as a share of those expected; the median over trials."""
    rows: int | None = None
    """That were ingested, or stored by the visits of a trial; None in results of earlier releases."""


class ClassResult(Strict):
    """One class in one phase, over all cells."""

    phase: str
    class_name: str
    spread: float | None
    """Standard deviation of a trial's logarithm, without the drift of blocks: 0.05 is 5 %."""
    freedom: int
    best: list[int]
    """The fastest cell, and those not shown to be slower; in order of their medians."""
    moved_by: list[str]
    """Factors with an effect that is shown."""
    missed_below: float | None
    """Effects nearer to 1 than this ratio may exist unseen: the widest end of the intervals that hold 1."""
    trials_needed: int | None
    """Of each cell, to show a ratio of 1.1 in four of five experiments; None: more than 200, or unknown."""
    sentence: str

    @property
    def name(self) -> str:
        return class_text(self.phase, self.class_name)


class ExactTest(Strict):
    """How trials were dealt out anew to the cells of their blocks."""

    deals: int
    """Ways that were tried, the one that was among them."""
    possible: str
    """Ways that there are: a whole number of any length."""
    smallest_p: float
    """No p of these trials is below it."""

    @property
    def sentence(self) -> str:
        """What was tried and what it can tell."""
        tried = f"all {self.deals:,}" if str(self.deals) == self.possible else f"{self.deals:,}, drawn at random,"
        return f"{tried} of the {_ways(self.possible)} ways were tried; no p can be below {self.smallest_p:.2g}"


def _ways(possible: str) -> str:
    """A number of ways, readable at any length.

    >>> _ways("13824"), _ways("1625702400"), _ways("9996" + "0" * 37)
    ('13,824', '1.6 × 10^9', '1.0 × 10^41')
    """
    if len(possible) < 10:
        return f"{int(possible):,}"
    digits, _, power = f"{Decimal(possible):.1e}".partition("e+")
    return f"{digits} × 10^{power}"


class ExperimentResult(Strict):
    """An experiment: ``experiment.json``."""

    version: Literal[1] = 1
    name: str
    description: str
    file_digest: str
    made: datetime
    machine: Environment
    server: str
    design: str
    """``full``, ``fractional`` or ``named``."""
    confounded: list[str]
    """What a fraction cannot tell apart, as sentences."""
    factors: dict[str, list[Value]]
    held: dict[str, Value]
    held_sentences: list[str]
    """What was the same in all cells, for people."""
    is_cold: bool
    seed: int
    order: list[list[int]]
    """The cells of each block, in the order in which they ran."""
    trials_planned: int
    trials_done: int
    elapsed_s: float
    """Of all trials and builds together."""
    cells: list[CellResult]
    classes: list[ClassResult]
    effects: list[Effect]
    servers: list[CellServer] = Field(default_factory=list)
    """What each class cost each server in each cell: medians over trials."""
    conclusion: str
    """One paragraph."""
    cautions: list[str]
    exact_test: ExactTest | None = None
    """None in results of earlier releases, which were judged by Student's t alone."""
    visits: list[CellVisits] = Field(default_factory=list)
    """Of an experiment of visits: levels, slopes, plateaus of each cell."""

    @property
    def failures(self) -> list[str]:
        """Each failure with its cell."""
        return [f"{cell.label}: {reason}" for cell in self.cells for reason in cell.failures]


def class_text(phase: str, class_name: str) -> str:
    """A class for people.

    >>> class_text("alone", "LV")
    'LV (alone)'
    """
    return f"{class_name} ({phase})"
