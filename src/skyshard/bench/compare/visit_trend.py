"""Visits over releases: the level of each kind of work in each trial, in order of time, and the steps in it. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.basics.errors import UserError
from skyshard.bench.compare.losses import AskedQueries, Loss
from skyshard.bench.compare.trend import Point, Trend, all_series, why_not_comparable
from skyshard.bench.compare.visit_losses import is_wanted
from skyshard.bench.record.visit_summary import PhaseNumbers, SeriesNumbers
from skyshard.bench.record.visit_trial import VisitTrial

STATISTIC = "level"
"""Median real time with a full history, or of all visits where a trial did not come so far."""


def visit_trend(trials: Sequence[tuple[str, VisitTrial]]) -> Trend:
    """The trend of trials of visits, given as (name, trial), in order of their start.

    Raises:
        UserError: fewer than two trials, or none with the same work.
    """
    if len(trials) < 2:
        raise UserError("a trend needs at least two trials", remedy="name more trial folders")
    ordered = sorted(trials, key=lambda one: one[1].manifest.started)
    measured: dict[tuple[str, str], list[Point]] = {}
    for name, trial in ordered:
        for phase in trial.summary.phases:
            for one in phase.series:
                if (value := level_of(one)) > 0:
                    measured.setdefault((phase.phase, one.name), []).append(_point(name, trial, one, value))
    kept = {key: points for key, points in measured.items() if len(points) > 1}
    if not kept:
        raise UserError("no two trials did the same work", remedy="name trials of one workload")
    manifests = {name: trial.manifest for name, trial in ordered}
    why_not = why_not_comparable(manifests)
    return Trend(
        statistic=STATISTIC, series=all_series(kept, manifests), breaks=list(why_not), why_not=why_not,
        losses=_losses([trial for _, trial in ordered]),
    )  # fmt: skip


def level_of(one: SeriesNumbers) -> float:
    return one.median_s if one.level_s is None else one.level_s


def _point(name: str, trial: VisitTrial, one: SeriesNumbers, value: float) -> Point:
    environment = trial.manifest.environment
    return Point(
        trial=name, started=f"{trial.manifest.started:%Y-%m-%d %H:%M:%S}", revision=environment.revision, value=value,
        n=one.visits, label=trial.manifest.label, skyshard=environment.skyshard,
    )  # fmt: skip


def _losses(trials: Sequence[VisitTrial]) -> list[Loss]:
    """What the newest trial answers wrongly or loses, where the others did not."""
    found = []
    for phase in trials[-1].summary.phases:
        before = [one for trial in trials[:-1] for one in trial.summary.phases if one.phase == phase.phase]
        if before and (reason := _worse(phase, before)):
            found.append(_loss(phase, before, reason))
    return [*found, *_missing(trials)]


def _missing(trials: Sequence[VisitTrial]) -> list[Loss]:
    """Phases that all trials before the newest ran, and it did not, though its workload has them."""
    there = [{one.phase: one for one in trial.summary.phases} for trial in trials]
    names = [
        name for name in there[0]
        if all(name in one for one in there[:-1]) and name not in there[-1] and is_wanted(trials[-1], name)
    ]  # fmt: skip
    return [
        Loss(
            phase=name, class_name="visits", query="", new=_asked([]), old=_asked([one[name] for one in there[:-1]]),
            reason="not run, before in all trials", is_regression=True,
        )
        for name in names
    ]  # fmt: skip


def _worse(newest: PhaseNumbers, before: Sequence[PhaseNumbers]) -> str:
    if newest.wrong and not any(one.wrong for one in before):
        return f"{newest.wrong:,} {'tile' if newest.wrong == 1 else 'tiles'} answered wrongly, none before"
    if newest.lost and not any(one.lost for one in before):
        return f"{newest.lost:,} {'visit' if newest.lost == 1 else 'visits'} lost, none before"
    return ""


def _loss(newest: PhaseNumbers, before: Sequence[PhaseNumbers], reason: str) -> Loss:
    return Loss(
        phase=newest.phase, class_name="visits", query="", new=_asked([newest]), old=_asked(before), reason=reason,
        is_regression=True,
    )  # fmt: skip


def _asked(phases: Sequence[PhaseNumbers]) -> AskedQueries:
    return AskedQueries(
        trials=len(phases), n=sum(one.visits + one.lost for one in phases), errors=sum(one.lost for one in phases),
        wrong=sum(one.wrong for one in phases),
    )  # fmt: skip
