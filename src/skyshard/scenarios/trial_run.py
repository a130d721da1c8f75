"""Trials as commands ask for them: one workload against one target or several, with the testbed behind them."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from skyshard.bench.record.latency_stats import Summary
from skyshard.bench.target import TakesForms, Target
from skyshard.bench.trial import Seats, TrialContext, check_folder, prepare_folder, run_trial
from skyshard.bench.workload.data_profile import DataProfile, profile_data
from skyshard.bench.workload.query_template import QueryTemplate, wanted_columns
from skyshard.bench.workload.workload import Workload
from skyshard.bench.workload.workload_fit import best_fit, names_of, workload_templates
from skyshard.errors import UserError
from skyshard.progress import Watcher
from skyshard.scenarios.trial_targets import ClusterProbe, TestbedTarget, has_mono, open_target, trial_context
from skyshard.testbed import Testbed

OWN = ("czar", "mono")
"""Targets that are servers of the testbed."""


@dataclass(frozen=True, slots=True)
class TrialRun:
    """One workload file, as adjusted, against targets; each target's trial in a folder."""

    file: Path
    workload: Workload
    out: Path
    database: str
    targets: tuple[str, ...]
    cluster: Path
    seed: int | None = None
    processes: int = 0
    """Driver processes; 0: threads of this one."""
    runtime: str = "processes"
    """processes or ray."""

    def run(self, watcher: Watcher) -> dict[str, tuple[Path, Summary]]:
        """Run against each target in turn: its trial folder and summary, by the target's name as given.

        All targets are asked the same statements. Answers are compared with the mono server's; without one, with those
        of the first target.
        """
        templates = workload_templates(self.file, self.workload)
        check_folder(self.out)
        with ExitStack() as stack:
            testbed = stack.enter_context(Testbed(self.cluster)) if self._needs_testbed else None
            if testbed is not None:
                self._require_names(testbed, templates)
            targets = {spec: self._open(spec, testbed, stack, watcher) for spec in dict.fromkeys(self.targets)}
            oracles = self._oracles(targets, testbed)
            prepare_folder(self.out)
            seed = self.workload.seed if self.seed is None else self.seed
            schema = next(iter(templates.values())).schema
            sampled = targets[_first_with_sql(targets)]
            profile = profile_data(sampled, self.database, wanted_columns(templates.values()), seed, schema)
            found = {}
            folders = trial_folders(self.out, {spec: target.name for spec, target in targets.items()})
            for spec, target in targets.items():
                context = self._context(spec, testbed, stack)
                out = folders[spec]
                summary = self._one(spec, target, oracles[spec], templates, profile, context, out, watcher)
                found[spec] = (out, summary)
                if summary.is_partial:
                    break
            return found

    def _require_names(self, testbed: Testbed, templates: dict[str, QueryTemplate]) -> None:
        """Raises UserError when the database lacks a table or column that a template asks for."""
        tables = testbed.registry.published.catalog(self.database).tables
        has = names_of({name: entry.table for name, entry in tables.items()})
        lacking = {key: missing for key, template in templates.items() if (missing := template.missing(has))}
        if not lacking:
            return
        key, missing = next(iter(lacking.items()))
        remedy = f"leave out what asks for it (--leave-out {','.join(lacking)})"
        other = best_fit(self.file, self.workload, has)
        if other is not None and other.workload.schema_name != self.workload.schema_name:
            remedy = f"give --schema {other.workload.schema_name}"
        raise UserError(
            f"database '{self.database}' has no {missing}, which template '{key}' asks for with the names of schema "
            f"'{self.workload.schema_name}'",
            remedy=remedy,
        )

    @property
    def _needs_testbed(self) -> bool:
        return any(spec in OWN for spec in self.targets)

    def _open(self, spec: str, testbed: Testbed | None, stack: ExitStack, watcher: Watcher) -> Target:
        if testbed is not None and spec == "mono" and not has_mono(testbed, self.database):
            raise UserError(
                f"the oracle does not hold '{self.database}'", remedy=f"run skyshard mono load {self.database}"
            )
        if testbed is not None and spec in OWN:
            return TestbedTarget(testbed, "mono" if spec == "mono" else "czar")
        target = open_target(spec, self.cluster, watcher)
        stack.callback(target.close)
        return target

    def _oracles(self, targets: dict[str, Target], testbed: Testbed | None) -> dict[str, Target | None]:
        """Whom each target is compared with."""
        if not self.workload.check_answers:
            return dict.fromkeys(targets)
        mono = TestbedTarget(testbed, "mono") if testbed is not None and has_mono(testbed, self.database) else None
        first = _first_with_sql(targets)
        others = {spec: targets[first] if spec != first else None for spec in targets}
        oracles: dict[str, Target | None] = {
            spec: mono if mono and spec != "mono" else others[spec] for spec in targets
        }
        if oracles[first] is None and len(targets) == 1 and first != "mono":
            raise UserError(
                f"workload '{self.workload.name}' checks answers, and the oracle does not hold '{self.database}'",
                remedy=f"run skyshard mono load {self.database}, name a second --target, or give --no-check",
            )
        return oracles

    def _context(self, spec: str, testbed: Testbed | None, stack: ExitStack) -> TrialContext:
        if testbed is None or spec not in OWN:
            return TrialContext()
        probe = ClusterProbe(testbed)
        stack.callback(probe.close)
        return trial_context(testbed, self.database, probe)

    def _one(
        self,
        spec: str,
        target: Target,
        oracle: Target | None,
        templates: dict[str, QueryTemplate],
        profile: DataProfile,
        context: TrialContext,
        out: Path,
        watcher: Watcher,
    ) -> Summary:
        seats = None
        if self.processes:
            seats = Seats(partial(open_target, spec, self.cluster.resolve()), self.processes, self.runtime)
        return run_trial(
            self.workload, templates, target, out, oracle=oracle, database=self.database, seed=self.seed,
            context=context, profile=profile, seats=seats, watcher=watcher,
        )  # fmt: skip


def _first_with_sql(targets: dict[str, Target]) -> str:
    """The first target that can be asked any statement; the first of all when there is none."""
    return next((spec for spec, one in targets.items() if not isinstance(one, TakesForms)), next(iter(targets)))


def trial_folders(out: Path, names: dict[str, str]) -> dict[str, Path]:
    """Each target's trial folder: ``out`` itself for one, else below it by name, with a number where a name repeats.

    >>> found = trial_folders(Path("out"), {"czar": "czar", "lsdb:a": "lsdb", "lsdb:b": "lsdb"})
    >>> [str(folder) for folder in found.values()]
    ['out/czar', 'out/lsdb', 'out/lsdb-2']
    """
    if len(names) == 1:
        return dict.fromkeys(names, out)
    used = Counter[str]()
    folders = {}
    for spec, name in names.items():
        used[name] += 1
        folders[spec] = out / (name if used[name] == 1 else f"{name}-{used[name]}")
    return folders
