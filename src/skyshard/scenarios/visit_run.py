"""Runs ``skyshard bench run`` for workloads of visits: one trial against one store of the alert production database."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from skyshard.apdb.beside.upkeep import WITHOUT_REHEARSAL, Upkeep, run_upkeep
from skyshard.apdb.mutable.months import HISTORY_MONTHS
from skyshard.apdb.mutable.mutable_database import open_mutable
from skyshard.apdb.stores.open_store import open_store
from skyshard.apdb.stores.store_settings import StoreSettings
from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher
from skyshard.bench.record.running_trial import noticed
from skyshard.bench.trial.run_visits import ProcessesAsked, VisitsAsked, VisitsResult, changed, run_visits
from skyshard.bench.trial.trial_setup import TrialWatch
from skyshard.bench.visits.beside_visits import Action
from skyshard.bench.workload.workload import Workload
from skyshard.synth.recipe.recipe import Recipe, read_recipe


@dataclass(frozen=True, slots=True)
class VisitRun:
    """A workload of visits, the command's changes, and the store."""

    workload: Workload
    out: Path
    target: str
    """``sqlite:PATH``, ...: what ``open_store`` takes."""
    cluster: Path
    seed: int | None = None
    label: str = ""
    visits: int | None = None
    """Of the first phase, the only one then; None: as the workload says."""
    reads_only: bool = False
    resumes: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings of a new store, by name."""
    processes: int | None = None
    """That tiles are dealt among; 0: threads of this one. None: by the processors, where the store has a server."""

    def run(self, watcher: Watcher) -> VisitsResult:
        """Open the store, send the visits, write the trial folder.

        Raises:
            UserError: no such store, a setting that it has not, or as ``run_visits``.
            ClusterError: as ``run_visits``.
        """
        workload = changed(self.workload, visits=self.visits, reads_only=self.reads_only)
        _require_months_that_stay(workload)
        seed = workload.seed if self.seed is None else self.seed
        asked = VisitsAsked(workload, self.target, self.out, seed, self.label, self.resumes, recipe_of(workload))
        opener = partial(open_store, self.target, store_settings(self.settings), cluster=self.cluster)
        with (
            closing(opener()) as store,
            noticed(self.cluster, workload.name, workload.database, is_counted=True) as notice,
        ):
            notice.begin(self.target)
            # the tiles of other processes would wait asleep for SQLite's one writer
            processes = ProcessesAsked(opener, self.processes, has_one_writer=self.target.startswith("sqlite:"))
            return run_visits(asked, store, TrialWatch(notice.watching(watcher)), self._beside(), processes)

    def _beside(self) -> dict[str, Action]:
        """What can run beside visits; changes are rehearsed, so that visits have the answers of before."""
        kind, _, name = self.target.partition(":")
        if kind != "cluster":
            return {}
        database = open_mutable(self.cluster, name)

        def action(one: Upkeep) -> Action:
            is_rehearsed = one not in WITHOUT_REHEARSAL  # which leave alone what visits read
            return lambda now: run_upkeep(database, one, now, is_rehearsed=is_rehearsed).rows

        return {one.value: action(one) for one in Upkeep}


def _require_months_that_stay(workload: Workload) -> None:
    """Raises UserError where months are dropped beside visits that read them."""
    for load in (phase.visits for phase in workload.phases if phase.visits):
        drops = any(one.action == Upkeep.DROP_MONTH for one in load.beside)
        if drops and load.history.months > HISTORY_MONTHS:
            what = f"visits read {load.history.months} months, and '{Upkeep.DROP_MONTH}' beside them leaves"
            raise UserError(f"{what} {HISTORY_MONTHS}", remedy="drop that action, or take a shorter history")


def recipe_of(workload: Workload) -> Recipe | None:
    """The recipe whose variable objects visits find; None where the workload names none.

    Raises:
        UserError: no such recipe, or a wrong key in it.
    """
    load = workload.phases[0].visits
    return read_recipe(load.recipe) if load is not None and load.recipe else None


def store_settings(given: Mapping[str, str]) -> StoreSettings | None:
    """Settings of a store, from texts; None where none are given.

    Raises:
        UserError: there is no such setting, or it cannot have that value.
    """
    if not given:
        return None
    if unknown := sorted(set(given) - set(StoreSettings.model_fields)):
        remedy = f"there are {', '.join(StoreSettings.model_fields)}"
        raise UserError(f"no setting '{unknown[0]}' of a store", remedy=remedy)
    try:
        return StoreSettings.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"setting '{first['loc'][0]}' of a store: {first['msg']}", remedy="change it") from None
