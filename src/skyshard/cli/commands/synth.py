"""``skyshard synth``: a recipe to a folder of Parquet files with a manifest."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import skyshard
import skyshard.synth
from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import whole_number
from skyshard.basics.readable import human_bytes
from skyshard.catalog.synth_manifest import SynthManifest
from skyshard.cli.commands.synth_weekly import (
    BadPositionsOption,
    CentreOption,
    ColumnsOption,
    DamageOption,
    DoubledOption,
    KeysOption,
    ObjectsOption,
    RedoOption,
    TreeKind,
    WeeklyOption,
    make_weekly,
)
from skyshard.cli.terminal.show import JsonOption, print_json, print_table, progress_bars
from skyshard.runtime import open_runtime


def synth(
    out: Annotated[Path, typer.Option(help="Folder to write; new, empty, or of an earlier run of the same command.")],
    recipe: Annotated[
        str, typer.Argument(help="A recipe file, or the name of a shipped one (tiny, hsc, dp1, dr1); none with --as.")
    ] = "",
    fraction: Annotated[float, typer.Option(help="Share of the recipe's sky, above 0 up to 1.")] = 1.0,
    profile: Annotated[str, typer.Option(help="Named full row counts to compare with (kpm, dp2).")] = "",
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's own.", min=0)] = None,
    chunks: Annotated[str, typer.Option(help="Only these chunk numbers, separated by commas.")] = "",
    shrink: Annotated[
        Literal["coverage", "thinning"],
        typer.Option(help="How a fraction is made: fewer chunks at real density, or all chunks with fewer rows."),
    ] = "coverage",
    runtime: Annotated[Literal["inline", "ray"], typer.Option(help="Where chunks are made.")] = "inline",
    workers: Annotated[int | None, typer.Option(help="Chunks made at a time (default: one per core).", min=1)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and make nothing.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Write OUT/preview.html to look at, and no rows.")] = False,
    dirt: Annotated[str, typer.Option(help="Spoil the files as real ones are: nan,inf,unsorted,... or all.")] = "",
    tree: Annotated[
        TreeKind | None, typer.Option("--as", help="Instead of a recipe: a weekly's tree, as a Butler leaves it.")
    ] = None,
    weekly: WeeklyOption = 1,
    objects: ObjectsOption = 2000,
    columns: ColumnsOption = "all",
    centre: CentreOption = "0,0",
    keys: KeysOption = "lasting",
    doubled: DoubledOption = 0,
    bad_positions: BadPositionsOption = 0,
    damage: DamageOption = False,
    redo: RedoOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a synthetic catalog: Parquet per table and chunk, and a manifest with the truth about it.

    Run it again to resume: finished chunks are checked and kept. With --as, one weekly reprocessing of a sky that is
    the same for the same --seed, --objects and --centre: OUT/HSC/runs/... or OUT/rerun/..., and OUT/truth/*.json says
    what is in it and what changed since the weekly before.
    """
    if tree is not None:
        order = skyshard.synth.WeeklyOrder(
            tree, weekly, objects, 1 if seed is None else seed, columns, skyshard.synth.parse_centre(centre), keys,
            doubled, bad_positions, damage, redo,
        )  # fmt: skip
        make_weekly(order, recipe, out, as_json=as_json)
        return
    if not recipe:
        raise UserError("synth needs a recipe, or --as", remedy="skyshard synth tiny --out DIR")
    read = skyshard.synth.read_profile(profile) if profile else None
    kinds = skyshard.synth.parse_dirt(dirt) if dirt else ()
    planned = skyshard.synth.plan(
        skyshard.read_recipe(recipe), out, chunks=parse_chunks(chunks), fraction=fraction, seed=seed, shrink=shrink
    )
    facts: dict[str, Any] = {
        "plan": plan_facts(planned) | ({"profile": profile_plan(read, planned)} if read is not None else {})
    }
    if not as_json:
        print_plan(facts["plan"])
    if preview:
        facts["preview"] = str(_preview(planned, out))
    elif kinds and not dry_run:
        facts["dirty"] = _make_dirty(planned, out, kinds)
    elif not dry_run:
        facts |= _make(planned, out, read, runtime, workers, quiet=as_json)
    _report(facts, out, as_json=as_json)


def _report(facts: dict[str, Any], out: Path, *, as_json: bool) -> None:
    """Print what was made, if anything was."""
    if as_json:
        print_json(facts)
    elif "made" in facts:
        print_made(facts)
    elif "preview" in facts or "dirty" in facts:
        typer.echo(f"wrote {facts.get('preview') or out}")


def _make(
    planned: skyshard.synth.SynthPlan,
    out: Path,
    profile: skyshard.synth.Profile | None,
    runtime: Literal["inline", "ray"],
    workers: int | None,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Make the catalog, and say what it holds."""
    started = time.perf_counter()
    with open_runtime(runtime, cpus=workers) as pool, progress_bars(quiet=quiet) as watcher:
        manifest = skyshard.synth.write_plan(planned, out, pool, watcher)
    facts = {"made": made_facts(manifest, out, time.perf_counter() - started)}
    return facts if profile is None else facts | {"profile": profile_facts(profile, manifest)}


def _preview(planned: skyshard.synth.SynthPlan, out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    skyshard.synth.write_preview(
        skyshard.synth.open_sky(planned.identity.recipe, planned.identity.seed), planned, out / skyshard.synth.PREVIEW
    )
    return out / skyshard.synth.PREVIEW


def _make_dirty(planned: skyshard.synth.SynthPlan, out: Path, kinds: tuple[skyshard.synth.Dirt, ...]) -> dict[str, Any]:
    return {name: asdict(table) for name, table in skyshard.synth.write_dirty(planned, out, kinds).items()}


def parse_chunks(text: str) -> list[int] | None:
    """Chunk numbers from ``7140,7141``; None for an empty text.

    >>> parse_chunks("7140, 7141"), parse_chunks("")
    ([7140, 7141], None)
    """
    if not text.strip():
        return None
    try:
        return [whole_number(part.strip()) for part in text.split(",")]
    except ValueError:
        raise UserError(f"--chunks '{text}' is not a list of numbers", remedy="write 7140,7141") from None


def plan_facts(planned: skyshard.synth.SynthPlan) -> dict[str, Any]:
    """What will be made; expected numbers are means."""
    return {
        "recipe": planned.identity.recipe.name,
        "seed": planned.identity.seed,
        "fraction": planned.identity.fraction,
        "shrink": planned.identity.shrink,
        "chunks": [task.chunk for task in planned.tasks],
        "chunks_of_recipe": planned.whole_chunks,
        "expected_rows": planned.expected_rows,
        "expected_rows_of_recipe": planned.whole_rows,
        "expected_bytes": planned.expected_bytes,
        "expected_bytes_of_recipe": planned.whole_bytes,
    }


def made_facts(manifest: SynthManifest, out: Path, elapsed_s: float) -> dict[str, Any]:
    """What the folder holds."""
    sizes = {name: sum(file.bytes for file in table.files) for name, table in manifest.tables.items()}
    return {
        "folder": str(out),
        "rows": manifest.known_truth.rows,
        "bytes": sizes,
        "digests": {name: table.digest for name, table in manifest.tables.items()},
        "elapsed_s": round(elapsed_s, 3),
    }


def profile_facts(profile: skyshard.synth.Profile, manifest: SynthManifest) -> dict[str, Any]:
    """The share of a profile that was made."""
    share = {
        name: {
            "rows_of_profile": table.rows,
            "rows_at_fraction": round(table.rows * manifest.fraction),
            "rows_made": manifest.known_truth.rows.get(name, 0),
            "share_made": manifest.known_truth.rows.get(name, 0) / table.rows,
        }
        for name, table in profile.tables.items()
    }
    return {"name": profile.name, "fraction": manifest.fraction, "tables": share}


def profile_plan(profile: skyshard.synth.Profile, planned: skyshard.synth.SynthPlan) -> dict[str, Any]:
    """Rows of the full profile, of its fraction, and those that this recipe will make."""
    fraction = planned.identity.fraction
    tables = {
        name: {
            "rows_of_profile": table.rows,
            "bytes_of_profile": round(table.rows * table.bytes_per_row),
            "rows_at_fraction": round(table.rows * fraction),
            "bytes_at_fraction": round(table.rows * fraction * table.bytes_per_row),
            "rows_of_recipe": planned.whole_rows.get(name, 0),
            "rows_to_make": planned.expected_rows.get(name, 0),
            "bytes_to_make": round(planned.expected_rows.get(name, 0) * table.bytes_per_row),
        }
        for name, table in profile.tables.items()
    }
    facts = {"name": profile.name, "fraction": fraction, "tables": tables}
    return (
        facts if profile.bounds is None else facts | {"bounds": [bound_facts(one, fraction) for one in profile.bounds]}
    )


def bound_facts(name: str, fraction: float) -> dict[str, Any]:
    """Rows and bytes of a profile that bounds another, in full and at a fraction."""
    tables = {
        table: {
            "rows_of_profile": size.rows,
            "bytes_of_profile": round(size.rows * size.bytes_per_row),
            "rows_at_fraction": round(size.rows * fraction),
        }
        for table, size in skyshard.synth.read_profile(name).tables.items()
    }
    return {"name": name, "tables": tables}


def print_plan(facts: dict[str, Any]) -> None:
    rows = ", ".join(f"{count:,} {name}" for name, count in facts["expected_rows"].items())
    whole = ", ".join(f"{count:,} {name}" for name, count in facts["expected_rows_of_recipe"].items())
    typer.echo(
        f"plan: recipe {facts['recipe']}, seed {facts['seed']}, fraction {facts['fraction']:g} by {facts['shrink']}: "
        f"{len(facts['chunks']):,} of {facts['chunks_of_recipe']:,} chunks, about {rows} rows, "
        f"{human_bytes(facts['expected_bytes'])} of values"
    )
    typer.echo(f"the whole recipe: about {whole} rows, {human_bytes(facts['expected_bytes_of_recipe'])}")
    if "profile" not in facts:
        return
    profile = facts["profile"]
    shown = [
        (
            name, f"{one['rows_of_profile']:,}", human_bytes(one["bytes_of_profile"]), f"{one['rows_at_fraction']:,}",
            human_bytes(one["bytes_at_fraction"]), f"{one['rows_to_make']:,}", human_bytes(one["bytes_to_make"]),
        )
        for name, one in profile["tables"].items()
    ]  # fmt: skip
    at = f"at {profile['fraction']:g}"
    print_table(
        (f"profile {profile['name']}", "rows in full", "bytes", f"rows {at}", "bytes", "to make", "bytes"), shown
    )
    if "bounds" in profile:
        _print_bounds(profile["bounds"], at)


def _print_bounds(bounds: list[dict[str, Any]], at: str) -> None:
    """Both bounds beside each other, table by table."""
    low, high = (one["tables"] for one in bounds)
    shown = [
        (name, *(text for one in (low[name], high[name]) for text in _bound_texts(one))) for name in low if name in high
    ]
    headers = [text for one, what in zip(bounds, ("at least", "at most"), strict=True) for text in (
        f"{what}: {one['name']}", "bytes", f"rows {at}"
    )]  # fmt: skip
    typer.echo("the real catalog is expected between these:")
    print_table(("", *headers), shown)


def _bound_texts(one: dict[str, Any]) -> tuple[str, str, str]:
    return f"{one['rows_of_profile']:,}", human_bytes(one["bytes_of_profile"]), f"{one['rows_at_fraction']:,}"


def print_made(facts: dict[str, Any]) -> None:
    made = facts["made"]
    rows = [(name, count, human_bytes(made["bytes"][name])) for name, count in made["rows"].items()]
    print_table(("table", "rows", "Parquet"), rows)
    if "profile" in facts:
        profile = facts["profile"]
        shares = [
            (name, share["rows_of_profile"], share["rows_at_fraction"], f"{share['share_made']:.2e}")
            for name, share in profile["tables"].items()
        ]
        headers = (f"profile {profile['name']}", "rows in full", f"at {profile['fraction']:g}", "share made here")
        print_table(headers, shares)
    total = sum(made["rows"].values())
    rate = total / max(made["elapsed_s"], 1e-3)
    typer.echo(f"made {total:,} rows in {made['elapsed_s']:.1f} s ({rate:,.0f} rows/s): {made['folder']}/manifest.json")
