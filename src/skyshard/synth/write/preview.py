"""One page to look at a recipe by: density map, chunks, number counts, colours, light curves, a field of objects.

Uses the functions that make the catalog, so it shows what will be made. Writes one HTML file with the pictures in it.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyshard.synth.rows.generate import SyntheticSky
from skyshard.synth.rows.kpm_columns import Exposures, Patch, expose
from skyshard.synth.sky.density import in_footprint
from skyshard.synth.sky.population import ZERO_POINT_MAG, draw_population
from skyshard.synth.write.synth_plan import SynthPlan

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1c2430}
h1{font-size:1.6rem;margin:0}p{margin:.4rem 0}.grid{display:grid;grid-template-columns:1fr 1fr;gap:1.2rem}
figure{margin:0;border:1px solid #dde2e8;border-radius:6px;padding:.6rem}figure.wide{grid-column:1/3}img{width:100%}
figcaption{font-size:.85rem;color:#4a5666}table{border-collapse:collapse;margin:.8rem 0}
td,th{padding:.15rem .8rem;text-align:right;border-bottom:1px solid #e6eaee}
th:first-child,td:first-child{text-align:left}"""
_MOST_OBJECTS = 20_000
_WHOLE = (-180.0, 180.0, -90.0, 90.0)
_STAR, _GALAXY = "#c2410c", "#1d4ed8"


def write_preview(sky: SyntheticSky, planned: SynthPlan, path: Path) -> None:
    """Write the page."""
    import matplotlib

    matplotlib.use("agg")
    expected = {task.chunk: mean for task, mean in _expected(sky, planned)}
    chunk = _typical_chunk(expected)
    patch, exposures = _look(sky, chunk)
    pictures: list[tuple[str, str, Callable[[Any], None]]] = [
        ("wide", "Objects per square degree; right ascension grows to the left", lambda axes: _map(axes, sky)),
        ("", "Expected rows of the director table in each chunk to be made", lambda axes: _chunk_rows(axes, expected)),
        ("", "Number counts per half magnitude; 5σ depth of one visit dotted", lambda axes: _counts(axes, sky, patch)),
        ("", "Colour–colour: stars on their locus, galaxies off it", lambda axes: _colours(axes, sky, patch)),
        ("", "Light curves of the brightest variables", lambda axes: _curves(axes, sky, patch, exposures)),
        ("", f"Objects of chunk {chunk}: clusters at the scale of arcminutes", lambda axes: _field(axes, patch)),
        ("", f"Visits that cover an object in chunk {chunk}", lambda axes: _visits(axes, patch, exposures)),
    ]  # fmt: skip
    figures = "".join(
        f'<figure class="{kind}">{_picture(draw, sky, wide=kind == "wide")}'
        f"<figcaption>{html.escape(text)}</figcaption></figure>"
        for kind, text, draw in pictures
    )
    path.write_text(_page(sky, planned, figures), encoding="utf-8")


def _page(sky: SyntheticSky, planned: SynthPlan, figures: str) -> str:
    recipe, identity = sky.recipe, planned.identity
    rows = "".join(
        f"<tr><td>{name}</td><td>{planned.whole_rows[name]:,}</td><td>{count:,}</td><td>{len(sky.specs[name].table.columns)}</td></tr>"
        for name, count in planned.expected_rows.items()
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{recipe.name}</title><style>{_STYLE}</style>"
        f"<h1>{recipe.name}</h1><p>{html.escape(recipe.description)}</p>"
        f"<p>Seed {sky.seed}, striping {recipe.striping.family}, fraction {identity.fraction:g} by {identity.shrink}: "
        f"{len(planned.tasks):,} of {planned.whole_chunks:,} chunks.</p>"
        f"<table><tr><th>table<th>expected rows, all<th>to be made<th>columns</tr>{rows}</table>"
        f'<div class="grid">{figures}</div></html>\n'
    )


def _picture(draw: Callable[[Any], None], sky: SyntheticSky, *, wide: bool) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.2) if wide else (5.6, 4.0), dpi=100, layout="constrained")
    draw(figure.add_subplot(projection="mollweide" if wide and _frame(sky) == _WHOLE else None))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def _expected(sky: SyntheticSky, planned: SynthPlan) -> list[tuple[Any, float]]:
    means = sky.expected_objects()
    return [(task, means[task.chunk] * task.share) for task in planned.tasks]


def _typical_chunk(expected: dict[int, float]) -> int:
    """The fullest chunk that is quick to make, else the middle one."""
    ordered = sorted(expected, key=lambda chunk: expected[chunk])
    small = [chunk for chunk in ordered if expected[chunk] <= _MOST_OBJECTS]
    return small[-1] if len(small) > len(ordered) / 2 else ordered[len(ordered) // 2]


def _look(sky: SyntheticSky, chunk: int) -> tuple[Patch, Exposures]:
    mean = sky.cells(chunk).expected
    positions = sky.positions(chunk, min(1.0, _MOST_OBJECTS / max(mean, 1.0)))
    population = draw_population(sky.recipe, sky.seed, chunk, len(positions))
    patch = Patch(sky.recipe, sky.seed, chunk, positions, population)
    return patch, expose(patch, sky.pointings)


def _frame(sky: SyntheticSky) -> tuple[float, float, float, float]:
    """West, east, south and north of the map: the whole sky, or the footprint where that is a small patch."""
    boxes = sky.recipe.sky.footprint
    starts = [(box.ra_deg[0] + 180.0) % 360.0 - 180.0 for box in boxes]
    west, east = min(starts), max(start + box.ra_width_deg for start, box in zip(starts, boxes, strict=True))
    south, north = min(box.dec_deg[0] for box in boxes), max(box.dec_deg[1] for box in boxes)
    return (west, east, south, north) if east - west < 60 and north - south < 60 else _WHOLE


def _map(axes: Any, sky: SyntheticSky) -> None:
    from matplotlib.colors import LogNorm

    west, east, south, north = _frame(sky)
    ra, dec = np.meshgrid(np.linspace(west, east, 541), np.linspace(south, north, 271))
    middle_ra, middle_dec = (ra[1:, 1:] + ra[:-1, :-1]) / 2 % 360.0, (dec[1:, 1:] + dec[:-1, :-1]) / 2
    values = sky.density.at(middle_ra, middle_dec)
    values = np.where(in_footprint(sky.recipe.sky.footprint, middle_ra, middle_dec) & (values > 0), values, np.nan)
    found = values[np.isfinite(values)]
    if not len(found):
        found = np.array([1.0])
    norm = LogNorm(max(found.min(), found.max() / 1e5), max(found.max(), found.min() * 1.5))
    is_whole = axes.name == "mollweide"
    x, y = (np.radians(-ra), np.radians(dec)) if is_whole else (ra, dec)
    mesh = axes.pcolormesh(x, y, values, norm=norm, cmap="inferno", rasterized=True)
    axes.set_facecolor("#eef1f4")
    axes.grid(alpha=0.3)
    if not is_whole:
        axes.invert_xaxis()
        axes.set(xlabel="right ascension, degrees from 0 h", ylabel="declination, degrees")
    else:
        axes.set_xticklabels([f"{(-angle) % 360}°" for angle in range(-150, 151, 30)], fontsize=8)
    axes.figure.colorbar(mesh, ax=axes, shrink=0.7, label="objects per square degree")


def _chunk_rows(axes: Any, expected: dict[int, float]) -> None:
    rows = np.array(list(expected.values()))
    low, high = max(rows.min(), rows.max() / 1e6), rows.max()
    axes.hist(rows, bins=np.geomspace(low * 0.99, high * 1.01, 50), color="#475569")
    for share in (0.1, 0.5, 0.9, 0.99):
        value = float(np.quantile(rows, share))
        axes.axvline(value, color=_STAR, linewidth=0.9)
        axes.annotate(
            f"p{share * 100:g}", (value, 0.98), xycoords=("data", "axes fraction"), fontsize=7, rotation=90, va="top"
        )
    axes.set(xscale="log", yscale="log", xlabel="expected rows in a chunk", ylabel="chunks")


def _magnitudes(patch: Patch, band: str) -> NDArray[np.float32]:
    names = patch.recipe.band_names
    place = names.index(band) if band in names else 0
    return np.asarray(ZERO_POINT_MAG - 2.5 * np.log10(patch.population.flux[place]))


def _counts(axes: Any, sky: SyntheticSky, patch: Patch) -> None:
    band = "r" if "r" in sky.recipe.band_names else sky.recipe.band_names[0]
    mags, is_star = _magnitudes(patch, band), patch.population.is_star
    bins = np.arange(np.floor(mags.min()) if len(mags) else 0, (mags.max() if len(mags) else 1) + 0.5, 0.5)
    axes.hist(mags[~is_star], bins, histtype="step", color=_GALAXY, label="galaxies")
    axes.hist(mags[is_star], bins, histtype="step", color=_STAR, label="stars")
    axes.axvline(sky.recipe.bands[band].depth_mag, color="k", linestyle=":")
    axes.set(yscale="log", xlabel=f"{band} magnitude", ylabel="objects")
    axes.legend(fontsize=8, loc="upper left")


def _colours(axes: Any, sky: SyntheticSky, patch: Patch) -> None:
    names = sky.recipe.band_names
    if len(names) < 3:
        axes.text(0.5, 0.5, "fewer than three bands", ha="center", transform=axes.transAxes)
        return
    first = max(0, min(names.index("g") if "g" in names else 0, len(names) - 3))
    blue, middle, red = (_magnitudes(patch, band) for band in names[first : first + 3])
    for is_kind, colour, label in (
        (~patch.population.is_star, _GALAXY, "galaxies"),
        (patch.population.is_star, _STAR, "stars"),
    ):
        axes.plot(
            (blue - middle)[is_kind][:6000],
            (middle - red)[is_kind][:6000],
            ".",
            ms=1.5,
            alpha=0.5,
            color=colour,
            label=label,
        )
    axes.set(xlabel=f"{names[first]} − {names[first + 1]}", ylabel=f"{names[first + 1]} − {names[first + 2]}")
    axes.legend(fontsize=8, markerscale=5)


def _curves(axes: Any, sky: SyntheticSky, patch: Patch, exposures: Exposures) -> None:
    """Flux over its mean, by phase: a variable's period, and the errors of a visit."""
    population = patch.population
    seen = np.bincount(exposures.row, minlength=len(population))
    brightness = np.where(
        population.is_variable & (seen > 5), population.flux.max(axis=0) * (population.amplitude_mag < 0.8), 0
    )
    noise = patch.normal("preview", "noise", len(exposures))
    flux = exposures.flux + noise * exposures.sigma
    for place, row in enumerate(np.argsort(-brightness)[:5]):
        if brightness[row] <= 0:
            break
        own = np.flatnonzero(exposures.row == row)
        mean = population.flux[exposures.band[own], row] / (1 + 0.03 * population.size[row])
        phase = (sky.pointings.mjd[exposures.visit[own]] / population.period_days[row] + population.phase[row]) % 1
        period = f"{population.period_days[row]:.3g} d"
        shift = 2.0 * place
        axes.errorbar(phase, flux[own] / mean + shift, exposures.sigma[own] / mean, fmt=".", ms=4, lw=0.7, label=period)
        axes.axhline(1 + shift, color="#cbd5e1", linewidth=0.6, zorder=0)
    axes.set(xlabel="phase of the period", ylabel="flux over its mean, shifted by 2", xlim=(0, 1), ylim=(0, 11.5))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="upper right", ncols=5)


def _field(axes: Any, patch: Patch) -> None:
    positions = patch.positions
    axes.plot(positions.ra, positions.dec, ",", color="#0f172a", alpha=0.7)
    axes.invert_xaxis()
    axes.set(xlabel="right ascension, degrees", ylabel="declination, degrees")


def _visits(axes: Any, patch: Patch, exposures: Exposures) -> None:
    seen = np.bincount(exposures.row, minlength=len(patch.population))
    axes.hist(seen, bins=np.arange(seen.max(initial=1) + 2) - 0.5, color="#475569")
    axes.set(xlabel="visits", ylabel="objects")
