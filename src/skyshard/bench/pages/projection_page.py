"""A projection as HTML, Markdown and JSON: one folder."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from skyshard.basics.readable import human_bytes, seconds, short_count
from skyshard.bench.model.disk_efficiency import BUSY
from skyshard.bench.model.projection import MOST_NODES, ClassProjection, Projection
from skyshard.pages.page_template import markdown_table, plain_markdown, render
from skyshard.pages.picture import WIDE, Picture, picture
from skyshard.pages.svg import MUTED, SERIES, legend_name, new_figure

HEADERS = [
    "class", "read on a node", "cached", "decided by", "alone", "under load (95 %)", "target", "verdict",
    "nodes, predicted", "surely",
]  # fmt: skip
TIMES_S = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 360_000, 3_600_000)
"""Ticks of the figure."""
CELL_HEADERS = ["published", "of DR1", "nodes", "load", "predicted", "measured", "measured / predicted"]
BY_COLUMNS = "## The same by columns"
SIGNS = {"meets": "✓ meets", "misses": "✕ misses", "open": "? open", None: "–"}


def write_projection(projection: Projection, out: Path) -> Path:
    """Write ``projection.html``, ``.md`` and ``.json``; returns the path of the page."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "projection.json").write_text(projection.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (out / "projection.md").write_text(markdown(projection), encoding="utf-8")
    content = {
        "p": projection,
        "status": status(projection),
        "verdict": verdict(projection),
        "sentences": sentences(projection),
        "headers": HEADERS,
        "rows": [row(one) for one in projection.classes],
        "column_headers": COLUMN_HEADERS,
        "column_rows": column_rows(projection),
        "tags": [{"meets": "met", "misses": "missed"}.get(one.verdict or "", "same") for one in projection.classes],
        "cell_headers": CELL_HEADERS,
        "cells": cells(projection),
        "concurrent_headers": CONCURRENT_HEADERS,
        "concurrent": concurrent(projection),
        "price_headers": PRICE_HEADERS,
        "prices": prices(projection),
        "picture": growth_figure(projection) if projection.growth else None,
    }
    (out / "projection.html").write_text(render("skyshard.bench", "projection.html.j2", content), encoding="utf-8")
    return out / "projection.html"


def status(projection: Projection) -> str:
    """``failed`` where a class surely misses; ``passed`` where most classes could be told, and reads from disk were
    measured, on a machine that did nothing else or by processor time."""
    verdicts = [one.verdict for one in projection.classes if one.verdict is not None]
    if "misses" in verdicts:
        return "failed"
    is_told = bool(verdicts) and verdicts.count("meets") > len(verdicts) / 2
    is_quiet = projection.times == "processor" or (projection.stretch or 0.0) <= BUSY
    return "passed" if is_told and is_quiet and projection.measured_cold else "partial"


def verdict(projection: Projection) -> str:
    """The verdict as a sentence."""
    by = {k: [one.class_name for one in projection.classes if one.verdict == k] for k in ("meets", "misses", "open")}
    place = f"{projection.fraction:.0%} of DR1 on {projection.nodes} nodes of {projection.hardware.name}"
    parts = [f"{len(by['meets'])} of {sum(map(len, by.values()))} classes would surely meet their targets at {place}"]
    parts += [f"missed by {', '.join(by['misses'])}"] if by["misses"] else []
    parts += [f"cannot be told for {', '.join(by['open'])}"] if by["open"] else []
    return "; ".join(parts) + "."


def sentences(projection: Projection) -> list[str]:
    """What a reader has to know before the numbers."""
    p = projection
    found = [
        f"An extrapolation from {p.measured_rows:,.0f} rows to {p.measured_rows * p.distance:.3g}, "
        f"{p.distance:,.0f} times as many. Nothing between was measured.",
    ]
    if p.classes:
        memory = human_bytes(p.hardware.cache_bytes)
        found.append(f"A node would hold {human_bytes(p.classes[0].node_bytes)} of rows, and {memory} in memory.")
    if len(p.published):
        good = sum(1 / 2 <= one.ratio <= 2 for one in p.published)
        worst = max(p.published, key=lambda one: max(one.ratio, 1 / one.ratio))
        found.append(
            f"The same trials predict {good} of {len(p.published)} published numbers of Qserv's scale tests within a "
            f"factor of two; the worst is off {max(worst.ratio, 1 / worst.ratio):.2g} times ({worst.name}, "
            f"{worst.fraction:.0%}). The intervals are as wide as these errors ask."
        )
    cold = f"{p.measured_cold} cold trials reached {p.disk_efficiency:.0%} of the disk's rate."
    found += [cold] if p.measured_cold and p.disk_efficiency < 1 else []
    if p.stretch is not None and p.stretch > BUSY:
        found.append(f"The trials' machine was busy: queries took {p.stretch:.2g} times their processor time.")
    return [*found, *p.cautions]


def row(one: ClassProjection) -> list[str]:
    return [
        one.class_name, human_bytes(one.read_bytes), f"{one.cached:.0%}", one.regime,
        seconds(one.alone_s), f"{seconds(one.predicted_s)} ({_interval(one)})",
        seconds(one.target_s), SIGNS[one.verdict], _count(one.fewest_nodes, one), _count(one.sure_nodes, one),
    ]  # fmt: skip


COLUMN_HEADERS = ["class", "read on a node", "of the rows' bytes", *HEADERS[2:]]


def column_rows(projection: Projection) -> list[list[str]]:
    """The classes by columns, with the share of the bytes that the same take as rows."""
    rows = {one.class_name: one.read_bytes for one in projection.classes}
    found = []
    for one in projection.by_columns:
        whole = rows.get(one.class_name, 0.0)
        name, read, *rest = row(one)
        found.append([name, read, f"{one.read_bytes / whole:.1%}" if whole else "–", *rest])
    return found


def _interval(one: ClassProjection) -> str:
    return f"{seconds(one.low_s)} to {seconds(one.high_s)}" if one.is_useful else "unknown"


def _count(nodes: int | None, one: ClassProjection) -> str:
    return "–" if one.target_s is None else f"{nodes}" if nodes else f"> {MOST_NODES}"


def cells(projection: Projection) -> list[list[str]]:
    return [
        [one.name, f"{one.fraction:.0%}", str(one.nodes), "day" if one.is_under_load else "alone",
         seconds(one.predicted_s), seconds(one.measured_s), f"{one.ratio:.2f}"]
        for one in projection.published
    ]  # fmt: skip


CONCURRENT_HEADERS = ["published, 30%", "at a time", "predicted", "measured"]


def concurrent(projection: Projection) -> list[list[str]]:
    """Times as long as one scan."""
    return [
        [one.name, str(one.scans), f"{one.predicted_growth:.2f} ×", f"{one.measured_growth:.2f} ×"]
        for one in projection.concurrent
    ]


PRICE_HEADERS = ["template", "overhead", "a million rows", "a million pairs", "a MB of answer"]


def prices(projection: Projection) -> list[list[str]]:
    """Seconds of a core of the trials' machine."""
    return [
        [one.template, *(seconds(value) for value in (one.overhead_s, 1e6 * one.row_s, 1e6 * one.pair_s,
                                                      1e6 * one.answer_s))]
        for one in projection.prices
    ]  # fmt: skip


def markdown(projection: Projection) -> str:
    """The projection for an issue or a terminal."""
    title = f"{projection.fraction:.0%} of DR1 on {projection.nodes} nodes of {projection.hardware.name}"
    parts = [
        f"# {plain_markdown(title)}",
        f"**{plain_markdown(verdict(projection))}**",
        *map(plain_markdown, sentences(projection)),
        markdown_table(HEADERS, [row(one) for one in projection.classes]),
        *([BY_COLUMNS, markdown_table(COLUMN_HEADERS, column_rows(projection))] if projection.by_columns else []),
        "\n".join(f"- {sentence}" for sentence in projection.assumptions),
        f"## The same trials against published tests, on {plain_markdown(projection.published_hardware)}",
        markdown_table(CELL_HEADERS, cells(projection)),
        markdown_table(CONCURRENT_HEADERS, concurrent(projection)),
        "## What the trials say of the work, in seconds of one of their cores",
        markdown_table(PRICE_HEADERS, prices(projection)),
    ]
    return "\n\n".join(parts) + "\n"


def growth_figure(projection: Projection) -> Picture:
    """Predicted time of every class alone against the fraction: flat, then the cliff where memory ends."""
    description = "Predicted time of each class, alone, against the fraction of DR1, both axes logarithmic"
    return picture("growth", description, lambda width: _figure(projection, width))


def _figure(projection: Projection, width: int) -> Figure:
    per_line = 4 if width == WIDE else 2
    lines = -(-len(projection.growth) // per_line)
    height = 340 + 18 * lines
    figure = new_figure(width, height)
    axes = figure.add_axes((66 / width, 44 / height, (width - 84) / width, (height - 60 - 18 * lines) / height))
    for number, one in enumerate(projection.growth):
        colour = SERIES[number % len(SERIES)]
        axes.plot(one.fractions, one.times_s, "-", color=colour, linewidth=1.4, label=legend_name(one.class_name))
        disk = [t if regime == "disk" else float("nan") for t, regime in zip(one.times_s, one.regimes, strict=True)]
        axes.plot(one.fractions, disk, "-", color=colour, linewidth=4, alpha=0.45, solid_capstyle="butt")
    axes.axvline(projection.fraction, color=MUTED, linewidth=1, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator(TIMES_S))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,), numticks=9))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{short_count(100 * value)} %"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(linewidth=0.6)
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="both", which="both", length=0)
    axes.set_xlabel("share of DR1", loc="left")
    figure.legend(loc="upper left", ncols=per_line, frameon=False, handletextpad=0.3, columnspacing=1.2)
    return figure
