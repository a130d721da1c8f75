"""Everything that can be known to be wrong before an experiment makes anything: one line, exit code 2."""

from __future__ import annotations

import hashlib
import os.path
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from skyshard.basics.errors import UserError
from skyshard.basics.readable import human_bytes
from skyshard.bench.experiment.cells import NO_SCENARIO, Cell, Design, make_design, place_of, refuse_idle_settings
from skyshard.bench.experiment.experiment_file import ReadExperiment, read_experiment
from skyshard.bench.experiment.factors import DEFAULT_ENGINE
from skyshard.bench.workload.fault_scenario import ReadScenario, find_scenario, read_scenario
from skyshard.bench.workload.planned_faults import plan_faults
from skyshard.bench.workload.workload import Workload, find_workload, read_workload, template_folder
from skyshard.bench.workload.workload_fit import Fitted, best_fit, names_of
from skyshard.catalog.layout import Layout, read_layout
from skyshard.host.output_folder import require_writable, writing_to
from skyshard.host.shipped_data import data_folder
from skyshard.scenarios.experiment.check_settings import check_settings
from skyshard.scenarios.experiment.setups import SKY_GROWTH, Setup, Sky, setups_of
from skyshard.scenarios.faults.cluster_faults import require_possible_here
from skyshard.synth.recipe.recipe import Recipe, find_shipped, read_recipe
from skyshard.synth.rows.generate import open_sky
from skyshard.synth.write.synth_plan import plan

OF_QUERIES = "name workloads of queries only"
BUDGET_SHARE = 0.5
"""Of the free disk space, unless the command says otherwise."""


@dataclass(frozen=True, slots=True)
class CheckedExperiment:
    """An experiment whose inputs are all there and agree."""

    read: ReadExperiment
    design: Design
    setups: Mapping[int, Setup]
    setup_of: Mapping[int, int]
    """By cell."""
    workloads: Mapping[str, tuple[Path, Workload]]
    """By the workload's name and the recipe's, ``quick mini``: the file, and the workload as it is asked."""
    recipes: Mapping[str, Recipe]
    layouts: Mapping[str, Layout]
    inputs: Mapping[str, str]
    """Digests of the files that the experiment names."""
    estimates: Mapping[int, int]
    """Bytes on disk of each set-up, and with it its sky."""
    budget_bytes: int
    notes: list[str] = field(default_factory=list)
    scenarios: Mapping[str, ReadScenario] = field(default_factory=dict)

    def scenario(self, cell: Cell) -> ReadScenario | None:
        """What fails in a cell's trials."""
        return self.scenarios.get(str(cell.all.get("scenario", NO_SCENARIO)))

    def asked(self, cell: Cell) -> tuple[Path, Workload]:
        """The workload of a cell, and its file."""
        return self.workloads[f"{cell.all['workload']} {cell.all['recipe']}"]


def check_experiment(path: Path, out: Path, disk_budget_bytes: int | None = None) -> CheckedExperiment:
    """Read an experiment and all that it names.

    Raises:
        UserError: a file, a factor or a level is wrong, something that it names is, or a cell does not fit the disk;
            nothing was made.
    """
    read = read_experiment(path)
    design = make_design(read)
    recipes, workloads, layouts, notes = {}, {}, {}, []
    for cell in design.cells:
        recipe = str(cell.all["recipe"])
        if recipe not in recipes:
            with _named(read, cell, "recipe"):
                recipes[recipe] = read_recipe(read.beside(recipe))
        key = f"{cell.all['workload']} {recipe}"
        if key not in workloads:
            workloads[key], found = _workload(read, cell, recipes[recipe])
            notes += found
        layout = str(cell.all.get("layout", ""))
        if layout and layout not in layouts:
            with _named(read, cell, "layout"):
                layouts[layout] = read_layout(layout_file(read, layout))
    _refuse_misfits(read, design, layouts)
    refuse_idle_settings(read, design.cells, {cell.number: _engine(cell, layouts) for cell in design.cells})
    check_settings(read, design)
    scenarios, said = _scenarios(read, design, workloads, layouts)
    notes += said
    setups, by_cell = setups_of(design.cells)
    budget, estimates = _room(read, design, setups, by_cell, (recipes, layouts), out, disk_budget_bytes)
    inputs = _inputs(read, recipes, workloads, layouts)
    inputs |= {f"scenario {name}": _digest(one.path) for name, one in scenarios.items()}
    return CheckedExperiment(
        read, design, setups, by_cell, workloads, recipes, layouts, inputs, estimates, budget, notes, scenarios
    )


class _named:  # noqa: N801  (read as a context)
    """Inside, a UserError also names the line of the experiment file that asks for it."""

    def __init__(self, read: ReadExperiment, cell: Cell, factor: str) -> None:
        self._read, self._place = read, place_of(read, cell, factor)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UserError):
            raise self._read.fault(self._place, error.what, error.remedy) from None


def layout_file(read: ReadExperiment, name: str) -> Path:
    """A layout file beside the experiment, or by its path, or a shipped one by its name."""
    path = Path(read.beside(name))
    shipped = data_folder("ingest", "layouts") / f"{name}.yaml"
    is_there = os.path.lexists(path)  # False for a name that is too long
    if not is_there and os.path.isfile(shipped):
        return shipped
    if not is_there:
        known = ", ".join(file.stem for file in sorted(shipped.parent.glob("*.yaml")))
        raise UserError(f"there is no layout '{name}'", remedy=f"name a file or one of: {known}")
    return path


def _engine(cell: Cell, layouts: Mapping[str, Layout]) -> str:
    """The engine of a cell's chunk tables: its own, its layout's, or that of every layout which names none."""
    layout = layouts.get(str(cell.all.get("layout", "")))
    return str(cell.all.get("engine", layout.engine if layout else DEFAULT_ENGINE))


def _workload(read: ReadExperiment, cell: Cell, recipe: Recipe) -> tuple[tuple[Path, Workload], list[str]]:
    """The part of a cell's workload that its recipe can answer, and what was left out."""
    name = str(cell.all["workload"])
    with _named(read, cell, "workload"):
        file = find_workload(read.beside(name))
        asked = read_workload(file)
        if asked.is_of_visits:
            raise UserError(f"workload '{name}' is one of visits, and others are of queries", remedy=OF_QUERIES)
    with _named_key(read, "leave_out"):
        asked = asked.without(read.file.leave_out) if read.file.leave_out else asked
    with _named_key(read, "duration_s"):
        asked = asked.lasting(read.file.duration_s) if read.file.duration_s else asked
    asked = asked.model_copy(update={"check_answers": read.file.check_answers})
    fitted = _fitted(read, cell, file, asked, recipe)
    return (file, fitted.workload), [f"workload '{name}', {sentence}" for sentence in fitted.sentences]


def _fitted(read: ReadExperiment, cell: Cell, file: Path, asked: Workload, recipe: Recipe) -> Fitted:
    has = names_of({name: spec.table for name, spec in open_sky(recipe).specs.items()})
    with _named(read, cell, "workload"):
        fitted = best_fit(file, asked, has)
    if fitted is None:
        what = f"recipe '{cell.all['recipe']}' makes nothing that workload '{asked.name}' could ask for"
        raise read.fault(place_of(read, cell, "recipe"), what, "choose another recipe or workload")
    return fitted


class _named_key(_named):  # noqa: N801
    """The same for a key at the top of the file."""

    def __init__(self, read: ReadExperiment, key: str) -> None:
        self._read, self._place = read, [key]


def _scenarios(
    read: ReadExperiment,
    design: Design,
    workloads: Mapping[str, tuple[Path, Workload]],
    layouts: Mapping[str, Layout],
) -> tuple[dict[str, ReadScenario], list[str]]:
    """The scenarios that cells name, each possible in each of its cells, and what is to be said of them."""
    found: dict[str, ReadScenario] = {}
    notes = []
    for cell in design.cells:
        name = str(cell.all.get("scenario", NO_SCENARIO))
        if name == NO_SCENARIO:
            continue
        with _named(read, cell, "scenario"):
            found[name] = read_scenario(str(find_scenario(read.beside(name))))
            layout = layouts.get(str(cell.all.get("layout", "")))
            nodes = {f"node{number}": 0 for number in range(1, int(cell.all["nodes"]) + 1)}
            asked = workloads[f"{cell.all['workload']} {cell.all['recipe']}"][1]
            planned = plan_faults(
                found[name], asked, nodes, int(cell.all.get("replicas", layout.replicas if layout else 1))
            )
            require_possible_here(planned)
        notes += [f"cell '{cell.label}': {warning}" for warning in planned.warnings]
    return found, notes


def _refuse_misfits(read: ReadExperiment, design: Design, layouts: Mapping[str, Layout]) -> None:
    """A layout may ask for more replicas than a cell has nodes, or for what its engine lacks."""
    for cell in design.cells:
        layout = layouts.get(str(cell.all.get("layout", "")))
        if layout and "engine" in cell.all:
            try:
                Layout.model_validate({**layout.model_dump(), "engine": cell.all["engine"]})
            except ValidationError as error:
                reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
                what = f"layout '{cell.all['layout']}' does not go with engine {cell.all['engine']}: {reason}"
                remedy = "name the cells that can be under 'cells'"
                raise read.fault(place_of(read, cell, "layout"), what, remedy) from None
        if layout and "replicas" not in cell.all and layout.replicas > int(cell.all["nodes"]):
            nodes = cell.all["nodes"]
            what = f"layout '{cell.all['layout']}' asks for {layout.replicas} replicas, a cell has {nodes} nodes"
            raise read.fault(place_of(read, cell, "layout"), what, "take more nodes, or give replicas under 'hold'")


def _room(
    read: ReadExperiment,
    design: Design,
    setups: Mapping[int, Setup],
    by_cell: Mapping[int, int],
    files: tuple[Mapping[str, Recipe], Mapping[str, Layout]],
    out: Path,
    asked: int | None,
) -> tuple[int, dict[int, int]]:
    """The disk budget, and what each set-up takes with its sky; a UserError where one does not fit by itself."""
    with writing_to(out):
        free = shutil.disk_usage(require_writable(out)).free
    budget = int(free * BUDGET_SHARE) if asked is None else asked
    recipes, layouts = files
    values: dict[Sky, int] = {}
    estimates = {}
    for number, setup in setups.items():
        if setup.sky not in values:
            values[setup.sky] = _values(read, design, number, by_cell, recipes[setup.sky.recipe], setup.sky, out)
        whole = setup.estimated_bytes(values[setup.sky], layouts.get(setup.layout), has_oracle=read.file.check_answers)
        estimates[number] = whole + int(SKY_GROWTH * values[setup.sky])
        if estimates[number] > min(budget, free):
            cell = next(cell for cell in design.cells if by_cell[cell.number] == number)
            which = "the budget is" if budget <= free else f"'{out}' has free"
            what = (
                f"cell '{cell.label}' takes about {human_bytes(estimates[number])} on disk, "
                f"{which} {human_bytes(min(budget, free))}"
            )
            remedy = "take a smaller recipe or fraction, fewer nodes, or a larger --disk-budget"
            raise read.fault(place_of(read, cell, "fraction" if "fraction" in cell.levels else "recipe"), what, remedy)
    return budget, estimates


def _values(
    read: ReadExperiment,
    design: Design,
    setup: int,
    by_cell: Mapping[int, int],
    recipe: Recipe,
    sky: Sky,
    out: Path,
) -> int:
    """Bytes of all values of a sky."""
    cell = next(cell for cell in design.cells if by_cell[cell.number] == setup)
    with _named(read, cell, "fraction" if "fraction" in {**cell.held, **cell.levels} else "recipe"):
        return plan(recipe, out / "none", fraction=sky.fraction, shrink=sky.shrink).expected_bytes


def _inputs(
    read: ReadExperiment,
    recipes: Mapping[str, Recipe],
    workloads: Mapping[str, tuple[Path, Workload]],
    layouts: Mapping[str, Layout],
) -> dict[str, str]:
    """Digests of all files that decide what is measured: those named, and the templates of the queries."""
    found = {}
    for name in recipes:
        found[f"recipe {name}"] = _digest(find_shipped("recipes", read.beside(name), "recipe"))
    for key, (file, workload) in workloads.items():
        found[f"workload {key.partition(' ')[0]}"] = _digest(file)
        for template in workload.template_keys:
            found[f"template {template}"] = _digest(template_folder(file) / f"{template}.sql")
    for name in layouts:
        found[f"layout {name}"] = _digest(layout_file(read, name))
    return found


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""
