"""The part of an experiment's page about visits: backends side by side, and by number of nodes. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.basics.readable import binary_bytes, seconds
from skyshard.bench.experiment.cells import CLUSTER, level_text
from skyshard.bench.experiment.experiment_result import ExperimentResult
from skyshard.bench.experiment.visit_cells import CellVisits
from skyshard.bench.pages.visit_figures import NodePoint, courses_figure, nodes_figure
from skyshard.bench.pages.visit_texts import ratio_text, signed, signed_percent
from skyshard.pages.page_template import percent, share
from skyshard.pages.picture import Picture

HEADERS = ["cell", "phase", "visit", "reads", "store", "more in 1,000 visits", "when full", "plateau ratio", "a year",
           "above target", "servers' share", "driver's share", "rows", "on disk", "wrong", "tried again"]  # fmt: skip


def visit_rows(cells: Sequence[CellVisits]) -> list[list[str]]:
    """A row for each cell and phase; slopes are those of reads."""
    return [
        [
            f"{one.cell}: {one.label}", one.phase, seconds(one.visit_s), seconds(one.select_s), seconds(one.store_s),
            *("–" if slope is None else signed(slope) for slope in (one.before, one.after)), ratio_text(one.plateau),
            signed_percent(one.change_a_year), percent(one.above), share(one.server_share), share(one.driver_share),
            f"{one.rows:,}", binary_bytes(one.bytes), f"{one.wrong:,}", f"{one.tries:,}",
        ]
        for one in cells
    ]  # fmt: skip


def held_table(cells: Sequence[CellVisits]) -> tuple[list[str], list[list[str]]] | None:
    """Headers and rows: what the tables of each cell take on disk at a trial's end, and a row of all; None without."""
    ends = {one.cell: one for one in cells if one.tables}  # a store is the same after each phase of a trial
    names = list(dict.fromkeys(table.name for one in ends.values() for table in one.tables))
    if not names:
        return None
    rows = []
    for one in ends.values():
        size = {table.name: table.bytes for table in one.tables}
        a_row = one.bytes / one.rows if one.rows else None
        rows.append(
            [
                f"{one.cell}: {one.label}", f"{one.rows:,}", *(binary_bytes(size.get(name)) for name in names),
                binary_bytes(one.bytes), binary_bytes(a_row),
            ]
        )  # fmt: skip
    return ["cell", "rows held", *names, "all tables", "a row"], rows


def visit_pictures(result: ExperimentResult) -> list[tuple[Picture, str]]:
    """The courses of all cells, and reads against the number of nodes where that is a choice."""
    found = []
    for number, phase in enumerate(dict.fromkeys(one.phase for one in result.visits)):
        mine = [one for one in result.visits if one.phase == phase]
        courses = [(one.label, one.visits, one.course_s) for one in mine]
        caption = f"{phase}: median real time of a visit along the run, a line for each cell, over all its trials."
        found.append((courses_figure(f"courses-{number}", courses), caption))
    points = node_points(result)
    if len({one.nodes for one in points}) > 1:
        caption = (
            "Reads of a visit with a full history against the number of nodes; broken: 1/N. Nodes and clients "
            f"share the {result.machine.cores} cores of this machine."
        )
        found.append((nodes_figure(points), caption))
    return found


def node_points(result: ExperimentResult) -> list[NodePoint]:
    """Cells of clusters; those that differ in nothing but the number of nodes have one label."""
    levels = {cell.number: {**result.held, **cell.levels} for cell in result.cells}
    found = []
    for one in result.visits:
        mine = levels.get(one.cell, {})
        if mine.get("target") == CLUSTER and one.select_s is not None:
            rest = [
                level_text(name, value) for name, value in mine.items() if name not in ("nodes", "target", "workload")
            ]
            found.append(NodePoint(", ".join(rest) or "cluster", one.nodes, one.select_s))
    return found
