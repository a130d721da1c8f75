"""What front doors cost as HTML, Markdown and JSON: one folder."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from skyshard.basics.readable import seconds
from skyshard.bench.compare.door_costs import DoorCost, DoorCosts, QueryCost
from skyshard.pages.page_template import markdown_table, plain_markdown, render
from skyshard.pages.picture import Picture, picture
from skyshard.pages.svg import INK, SERIES, new_figure

DOOR_HEADERS = ["door", "runs", "statements", "door / czar", "for each query", "for 1,000 rows", "of 95 %"]
QUERY_HEADERS = ["query", "phase", "door", "n", "rows", "czar", "door", "door / czar", "in runs from", "to"]


def write_doors(costs: DoorCosts, out: Path) -> Path:
    """Write ``doors.html``, ``.md`` and ``.json``; returns the path of the page."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "doors.json").write_text(costs.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (out / "doors.md").write_text(markdown(costs), encoding="utf-8")
    content = {
        "picture": added_figure(costs), "doors": door_rows(costs), "queries": query_rows(costs), "costs": costs,
        "door_headers": DOOR_HEADERS, "query_headers": QUERY_HEADERS, "sentence": sentence(costs),
    }  # fmt: skip
    (out / "doors.html").write_text(render("skyshard.bench", "doors.html.j2", content), encoding="utf-8")
    return out / "doors.html"


def sentence(costs: DoorCosts) -> str:
    """What was compared, and what it says."""
    found = "; ".join(f"{one.door} takes {one.ratio:.2f} times as long as the czar" for one in costs.doors)
    few = " One run cannot tell a door from the noise of a machine." if len(costs.runs) == 1 else ""
    return f"{len(costs.runs)} {'run' if len(costs.runs) == 1 else 'runs'}: {found} (median of queries).{few}"


def door_rows(costs: DoorCosts) -> list[list[object]]:
    return [_door_row(one) for one in costs.doors]


def _door_row(one: DoorCost) -> list[object]:
    known = [_signed(None if value is None else value * scale) for value, scale in
             ((one.per_query_s, 1), (one.per_row_s, 1000))]  # fmt: skip
    ends = (one.per_row_low_s, one.per_row_high_s)
    between = " to ".join(_signed(None if value is None else value * 1000) for value in ends)
    return [one.door, one.runs, one.statements, f"{one.ratio:.2f}", *known, between]


def _signed(value_s: float | None) -> str:
    if value_s is None:
        return "–"
    return f"{'-' if value_s < 0 else '+'}{seconds(abs(value_s))}"


def query_rows(costs: DoorCosts) -> list[list[object]]:
    return [_query_row(one) for one in costs.queries]


def _query_row(one: QueryCost) -> list[object]:
    ratios = [f"{value:.2f}" for value in (one.ratio, one.lowest, one.highest)]
    return [
        one.template,
        one.phase,
        one.door,
        one.n,
        f"{one.rows:,.0f}",
        seconds(one.czar_s),
        seconds(one.door_s),
        *ratios,
    ]


def markdown(costs: DoorCosts) -> str:
    parts = ["# What front doors cost", f"**{plain_markdown(sentence(costs))}**"]
    parts += [markdown_table(DOOR_HEADERS, door_rows(costs)), markdown_table(QUERY_HEADERS, query_rows(costs))]
    if costs.not_answered:
        parts += ["## Not answered", *(f"- {plain_markdown(one)}" for one in costs.not_answered)]
    return "\n\n".join(parts) + "\n"


def added_figure(costs: DoorCosts) -> Picture:
    """What each door adds to a statement, by the rows of its answer."""
    description = "Seconds that a door adds to the czar's, for each statement, by the rows of its answer"
    return picture("added", description, lambda width: _figure(costs, width))


def _figure(costs: DoorCosts, width: int) -> Figure:
    height = 260
    figure = new_figure(width, height)
    axes = figure.add_axes((70 / width, 40 / height, (width - 86) / width, (height - 54) / height))
    for number, door in enumerate(costs.doors):
        mine = [one for one in costs.statements if one.door == door.door]
        axes.plot([max(one.rows, 1) for one in mine], [one.added_s for one in mine], "o", markersize=3, alpha=0.6,
                  color=SERIES[number % len(SERIES)], label=door.door)  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axes.set_xlabel("rows of the answer", loc="left")
    axes.legend(frameon=False, fontsize=9, ncols=len(costs.doors))
    axes.spines[["right", "top"]].set_visible(False)
    return figure


def _tick(value_s: float) -> str:
    return "0" if value_s == 0 else _signed(value_s)
