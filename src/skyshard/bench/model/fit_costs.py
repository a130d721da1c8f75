"""Finds what work costs from observations: non-negative least squares of relative errors, in two steps.

A chunk, a node and a byte of the answer cost the same for every template. First, templates of a class that read as far
as each other share the price of a row (and of a pair): only so do templates with large answers beside others with
small ones tell what an answer costs, which the czar pays, from what a row costs, which the nodes share. Then each
template gets its own overhead and prices of what the shared prices leave. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from skyshard.basics.errors import UserError
from skyshard.basics.readable import counted
from skyshard.bench.model.node_time import Costs
from skyshard.bench.model.observations import Observation

FitValues = NDArray[np.float64]
ROUNDS = 4
"""Iterations in which errors are taken relative to the previous fit."""
DRAWS = 100
"""Refits with the seen scatter, for intervals."""
SEED = 20261128
FEWEST_SIZES = 3
LEAST_LEFT = 0.1
"""Share of a time that the shared prices leave to the template at least."""
DEFAULT_NODE_S = 0.001
"""Seconds for each node that is asked, where trials ran on one number of nodes: a round trip of a network."""


@dataclass(frozen=True, slots=True)
class FittedCosts:
    """Costs by template, and how well they describe the observations."""

    costs: Mapping[str, Costs]
    drawn: Sequence[Mapping[str, Costs]]
    """The same from refits of the times with the scatter about the fit."""
    scatter: float
    """Standard deviation of the logarithm of measured over fitted, degrees of freedom taken off."""
    has_node_cost: bool
    """False where it was assumed."""
    residuals: Mapping[tuple[str, str], float]
    """Logarithm of measured over fitted, by trial and template."""


def fit_costs(observations: Sequence[Observation]) -> FittedCosts:
    """Fit warm observations.

    Raises:
        UserError: fewer than three sizes of catalogs.
    """
    warm = [one for one in observations if not one.is_cold]
    if (sizes := sizes_of(warm)) < FEWEST_SIZES:
        raise UserError(
            too_few(sizes),
            remedy="run skyshard bench calibrate, or trials of `alone` on catalogs of several sizes",
        )
    design = _Design.of(warm)
    times = np.array([one.time_s for one in warm])
    found = design.solve(times)
    fitted = design.at(*found)
    logs = np.log(times / fitted)
    freedom = max(1, len(times) - sum(int((part > 0).sum()) for part in found))
    scatter = float(np.sqrt((logs**2).sum() / freedom))
    random = np.random.default_rng(SEED)
    drawn = [design.solve(fitted * np.exp(random.normal(0, scatter, len(times)))) for _ in range(DRAWS)]
    return FittedCosts(
        costs=design.costs(*found),
        drawn=[design.costs(*one) for one in drawn],
        scatter=scatter,
        has_node_cost=design.has_nodes,
        residuals={(one.trial, one.template): float(log) for one, log in zip(warm, logs, strict=True)},
    )


def too_few(sizes: int) -> str:
    """
    >>> too_few(1)
    '1 size of catalogs was measured warm, a projection needs 3'
    """
    return (
        f"{counted(sizes, 'size')} of catalogs {'was' if sizes == 1 else 'were'} measured warm, "
        f"a projection needs {FEWEST_SIZES}"
    )


def sizes_of(observations: Sequence[Observation]) -> int:
    """How many sizes of catalogs were measured warm."""
    return len({tuple(sorted(one.size.rows.items())) for one in observations if not one.is_cold})


@dataclass(frozen=True, slots=True)
class _Design:
    """The matrices of the fit."""

    shared: FitValues
    """Chunks, nodes and bytes of the answer, one line for each observation."""
    own: FitValues
    """One, rows and pairs for each core."""
    groups: NDArray[np.int64]
    """By observation: templates that share prices at first."""
    templates: NDArray[np.int64]
    names: tuple[str, ...]
    joins: frozenset[str]
    """Templates whose matches are in the price of a row."""
    has_nodes: bool

    @classmethod
    def of(cls, warm: Sequence[Observation]) -> _Design:
        names = tuple(dict.fromkeys(one.template for one in warm))
        keys = [(one.class_name, one.work.reach, one.work.tables) for one in warm]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        has_nodes = len({one.nodes for one in warm}) > 1
        shared, own = [], []
        for one in warm:
            demand = one.demand
            # A join's matches cost the nodes a look-up each, which would pass for the price of an answer.
            answer = demand.answer_bytes if len(one.work.tables) == 1 else 0.0
            shared.append([demand.chunks, one.nodes if has_nodes else 0.0, answer])
            own.append([1.0, demand.rows / one.lanes, demand.pairs / one.lanes])
        groups = np.array([numbers[key] for key in keys])
        templates = np.array([names.index(one.template) for one in warm])
        joins = frozenset(one.template for one in warm if len(one.work.tables) > 1)
        return cls(np.array(shared), np.array(own), groups, templates, names, joins, has_nodes)

    def solve(self, times: FitValues) -> tuple[FitValues, FitValues]:
        """The shared prices, and those of each template in a line; none is below zero."""
        alike = np.hstack([_spread(self.own[:, :1], self.templates), _spread(self.own[:, 1:], self.groups)])
        shared = _fit(np.hstack([self.shared, alike]), times)[:3]
        left = np.maximum(times - self.shared @ shared, LEAST_LEFT * times)
        own = _fit(_spread(self.own, self.templates), left, times)
        return shared, own.reshape(-1, 3)

    def at(self, shared: FitValues, own: FitValues) -> FitValues:
        """The fitted times."""
        fitted: FitValues = np.maximum(self.shared @ shared + (self.own * own[self.templates]).sum(axis=1), 1e-9)
        return fitted

    def costs(self, shared: FitValues, own: FitValues) -> dict[str, Costs]:
        chunk_s, node_s, answer_s = (float(value) for value in shared)
        common = Costs(0.0, 0.0, 0.0, chunk_s, node_s if self.has_nodes else DEFAULT_NODE_S, answer_s)
        return {
            name: replace(
                common,
                overhead_s=float(line[0]),
                row_s=float(line[1]),
                pair_s=float(line[2]),
                answer_s=0.0 if name in self.joins else answer_s,
            )
            for name, line in zip(self.names, own, strict=True)
        }


def _spread(own: FitValues, group: NDArray[np.int64]) -> FitValues:
    """Columns of its own for each group."""
    width = own.shape[1]
    matrix = np.zeros((len(own), width * (int(group.max()) + 1)))
    for line, number in enumerate(group):
        matrix[line, width * number : width * (number + 1)] = own[line]
    return matrix


def _fit(matrix: FitValues, times: FitValues, scale: FitValues | None = None) -> FitValues:
    """Prices, none below zero, that give the times with small errors relative to ``scale``, or to the fit itself."""
    unit = np.maximum(np.abs(matrix).max(axis=0), 1e-300)
    weights, found = (times if scale is None else scale), np.zeros(matrix.shape[1])
    for _ in range(ROUNDS if scale is None else 1):
        found = nnls(matrix / unit / weights[:, None], times / weights)[0] / unit
        weights = np.maximum(matrix @ found, 1e-9) if scale is None else weights
    return found
