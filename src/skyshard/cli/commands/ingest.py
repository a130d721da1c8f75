"""``skyshard plan | ingest | contributions | verify | compact | mono load``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import skyshard
import skyshard.ingest
from skyshard.basics.readable import human_bytes
from skyshard.cli.terminal.folded_conversions import folded
from skyshard.cli.terminal.ingested_files import show_ingested
from skyshard.cli.terminal.left_out_rows import left_out_lines
from skyshard.cli.terminal.reasons import reasons
from skyshard.cli.terminal.release_schemas import as_kept, changes_of_plan
from skyshard.cli.terminal.schema_lines import show_difference
from skyshard.cli.terminal.show import (
    DEFAULT_CLUSTER,
    ClusterOption,
    JsonOption,
    print_json,
    print_table,
    progress_bars,
)
from skyshard.host.interrupts import interruptible
from skyshard.host.shipped_data import data_folder
from skyshard.testbed import check_on_server, compare_with_ingested, survey_source

SourceArgument = Annotated[
    Path,
    typer.Argument(
        help="A recipe, a synth folder, a mapping file, a Qserv test-catalog folder, or one with metadata.json.",
        show_default=False,
    ),
]
TablesOption = Annotated[str, typer.Option("--tables", help="Only these tables: A,B,...")]
IngestDatabaseOption = Annotated[
    str, typer.Option("--database", help="Name of the database; the source's own if absent.")
]
OneDatabaseOption = Annotated[str, typer.Option("--database", help="Only those of this database; all if absent.")]
LayoutOption = Annotated[
    Path | None, typer.Option("--layout", help="A layout file, or a shipped one, instead of the source's.")
]
LoaderOption = Annotated[
    Literal["image", "load-data"] | None,
    typer.Option("--loader", help="How rows become tables; row images where they can be if absent."),
]
ReplicasOption = Annotated[int | None, typer.Option("--replicas", help="Copies of each chunk, on different nodes.")]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        "--columns", help="Keep column images, too: `all`, `none`, or of columns by name, separated by commas."
    ),
]
FractionOption = Annotated[float, typer.Option("--fraction", help="Of a recipe: the share of its sky to make.")]
ShrinkOption = Annotated[
    Literal["coverage", "thinning"], typer.Option("--shrink", help="Of a recipe: fewer chunks, or fewer rows in all.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Name each column that is converted.")]
ReplaceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--replace",
        metavar="FILE|TRACT",
        help="Ingest this file, or all of this tract, in place of its rows that are there. Can be given several times.",
    ),
]
RuntimeOption = Annotated[Literal["ray", "inline"], typer.Option("--runtime", help="Where the work runs.")]


def plan(
    source: SourceArgument,
    tables: TablesOption = "",
    database: IngestDatabaseOption = "",
    layout: LayoutOption = None,
    loader: LoaderOption = None,
    replicas: ReplicasOption = None,
    columns: ColumnsOption = None,
    fraction: FractionOption = 1.0,
    shrink: ShrinkOption = "coverage",
    nodes: Annotated[
        int, typer.Option("--nodes", help="Number of nodes to plan for; those of the cluster if absent.")
    ] = 0,
    survey: Annotated[
        bool, typer.Option(help="Read the positions, for rows, chunks, bytes, nodes and time; else descriptions only.")
    ] = True,
    replace: ReplaceOption = None,
    every: AllOption = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show what an ingest would do; changes nothing."""
    opened = skyshard.source_at(source, fraction=fraction, shrink=shrink, tables=_names(tables))
    made = skyshard.ingest.make_plan(
        as_kept(opened, database, cluster),
        database=database,
        tables=_names(tables),
        loader=skyshard.Loader(loader) if loader else None,
        replicas=replicas,
        columns=_columns(columns),
        override=_layout(layout),
    )
    check_on_server(made, cluster)
    before = compare_with_ingested(made, cluster, replace or (), names_tables=bool(tables))
    made, found = before.plan, None
    if survey:
        with progress_bars(as_json=json) as watcher:
            found = survey_source(made, cluster, nodes, watcher)
    changes = changes_of_plan(made, cluster)
    if json:
        shown = {"changes": changes.model_dump(mode="json")} if changes else {}
        print_json(made.summary() | before.summary() | ({"survey": found.summary()} if found else {}) | shown)
    else:
        _show_plan(made.summary(), found.summary() if found else {}, is_whole=every)
        show_ingested(before)
        if changes is not None:
            show_difference(changes, is_whole=every)


def _columns(given: str | None) -> Literal["all", "none"] | list[str] | None:
    if given is None:
        return None
    if given == "all":
        return "all"
    if given == "none":
        return "none"
    return [name for part in given.split(",") if (name := part.strip())]


def _show_plan(made: dict[str, Any], found: dict[str, Any], *, is_whole: bool) -> None:
    striping = made["striping"]
    typer.echo(
        f"{made['kind']} {made['source']} → database {made['database']}, {striping['stripes']} stripes, "
        f"{striping['substripes']} sub-stripes, overlap {striping['overlap_deg']} deg, {made['replicas']} replica(s)"
    )
    surveyed = {table["table"]: table for table in found.get("tables", ())}
    rows = []
    for t in made["tables"]:
        s = surveyed.get(t["table"], {"rows": t["rows"]})
        stored = f"{'about ' if s['is_estimate'] else ''}{human_bytes(s['stored_bytes'])}" if found else None
        rows.append(
            [t["table"], t["role"], t["director"], t["columns"], t["parts"], human_bytes(t["input_bytes"]), s["rows"],
             s.get("overlap_rows"), s.get("chunks"), stored,
             t["loader"] + (f" ({t['why_loader']})" if t["why_loader"] else "")]
        )  # fmt: skip
    heads = ["table", "role", "director", "columns", "parts", "input", "rows", "overlap", "chunks", "stored", "loader"]
    print_table(heads, rows)
    _show_images(made)
    for table in made["tables"]:
        for note in table["notes"]:
            typer.echo(f"  {table['table']}: {note}")
    for table in made["tables"]:
        for what in folded(dict.fromkeys(table["conversions"], 0), is_whole=is_whole):
            typer.echo(f"  converts in {table['table']}: {what}")
    for table in surveyed.values():
        for what in folded(table["conversions"], is_whole=is_whole):
            typer.echo(f"  in the first {table['sampled']} rows of {table['table']}: {what}")
        for line in left_out_lines(table["left_out"], ""):
            typer.echo(f"  {table['table']}: {line}")
    for name, count in found.get("replayed", {}).items():
        typer.echo(f"{name}: {count} part(s) were ingested before and are passed over")
    if found:
        nodes = ", ".join(f"{node} {human_bytes(size)}" for node, size in found["node_bytes"].items())
        typer.echo(f"overlap share {found['overlap_share']:.1%}; {nodes}; fullest over mean {found['skew']:.2f}")
        typer.echo(f"will take about {found['predicted_s']:.0f} s here, indexes and checks included")


def _show_images(made: dict[str, Any]) -> None:
    if made["columns"] == "none":
        return
    named = made["columns"] if isinstance(made["columns"], str) else ", ".join(made["columns"])
    typer.echo(f"column images: {named}")
    for table in made["tables"]:
        if table["not_imaged"]:
            typer.echo(f"  {table['table']}: no image of {reasons(table['not_imaged'])}")


def ingest(
    source: SourceArgument,
    tables: TablesOption = "",
    database: IngestDatabaseOption = "",
    layout: LayoutOption = None,
    loader: LoaderOption = None,
    replicas: ReplicasOption = None,
    columns: ColumnsOption = None,
    fraction: FractionOption = 1.0,
    shrink: ShrinkOption = "coverage",
    replace: ReplaceOption = None,
    runtime: RuntimeOption = "ray",
    every: AllOption = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Ingest a source into sharded chunk tables and publish it; run again to go on after an interruption."""
    opened = skyshard.source_at(source, fraction=fraction, shrink=shrink, tables=_names(tables))
    with interruptible(), skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        report = testbed.ingest(
            opened, runtime=runtime, watcher=watcher, database=database, tables=_names(tables),
            loader=skyshard.Loader(loader) if loader else None, replicas=replicas, columns=_columns(columns),
            layout=_layout(layout), replace=replace or (),
        )  # fmt: skip
    if json:
        print_json(asdict(report))
    else:
        _show_report(report, is_whole=every)


def _show_report(report: skyshard.IngestReport, *, is_whole: bool) -> None:
    """What was ingested, table by table, and how long each stage took."""
    for name, count in report.replayed.items():
        typer.echo(f"{name}: {count} part(s) were ingested before and passed over")
    if not report.transaction:
        typer.echo(f"nothing new for {report.database}")
        return
    print_table(
        ["table", "role", "rows", "overlap", "chunks", "stored", "orphans", "loader"],
        [[t.table, t.role, t.rows, t.overlap_rows, t.chunks, human_bytes(t.bytes), t.orphans, t.loader]
         for t in report.tables],
    )  # fmt: skip
    for table in report.tables:
        for note in table.notes:
            typer.echo(f"  {table.table}: {note}")
        for what in folded(table.conversions, is_whole=is_whole):
            typer.echo(f"  converted in {table.table}: {what}")
        for line in left_out_lines(table.left_out, table.quarantine):
            typer.echo(f"  {table.table}: {line}")
        if table.orphans and any(table.left_out for table in report.tables if table.role == "director"):
            typer.echo(f"  {table.table}: {table.orphans} rows without director; directors were left out, see above")
        if table.moved:
            typer.echo(
                f"  {table.table}: {table.moved} rows follow their director into another chunk than their position"
            )
    for name, count in report.replaced.items():
        typer.echo(f"  {name}: the rows of {count} file(s) are replaced")
    stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in report.stages_s.items())
    typer.echo(f"published {report.database} in transaction {report.transaction}: {report.rows:,} rows ({stages})")


def contributions(
    database: OneDatabaseOption = "", json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER
) -> None:
    """List contributions: what each input part brought to each chunk table, and how fast the part was read."""
    with skyshard.Testbed(cluster) as testbed:
        names = testbed.registry.published.names()
        wanted = [names.known(database).stored] if database else names.all_stored
        rows = [row for stored in wanted for row in testbed.registry.contributions.all(stored)]
    if json:
        print_json(rows)
        return
    print_table(
        ["transaction", "table", "chunk", "overlap", "state", "rows", "orphans", "part", "seconds", "krow/s"],
        [[str(r["transaction_id"]), r["table"], "" if r["chunk"] < 0 else str(r["chunk"]), bool(r["is_overlap"]),
          r["state"], r["rows"], r["orphans"], Path(r["part"]).name, r["elapsed_s"],
          r["part_rows"] / r["elapsed_s"] / 1e3 if r["elapsed_s"] else None] for r in rows],
    )  # fmt: skip


def verify(
    database: Annotated[str, typer.Argument(help="The database to verify.", show_default=False)],
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Read a database back from every node and check counts, digests, replicas, director index; exit 1 on a failure."""
    with skyshard.Testbed(cluster) as testbed:
        checks = testbed.verify(database)
    if json:
        print_json([asdict(check) for check in checks])
    else:
        print_table(["check", "", "found"], [[c.name, "good" if c.is_good else "FAILED", c.found] for c in checks])
    if not all(check.is_good for check in checks):
        raise typer.Exit(1)


def compact(
    database: Annotated[str, typer.Argument(help="The database whose parts to merge.", show_default=False)],
    fewest: Annotated[int, typer.Option("--parts", min=2, help="Merge chunk tables of at least this many parts.")] = 2,
    grace: Annotated[
        float,
        typer.Option(
            "--grace", min=0, help="Seconds for which the old parts are kept, for queries that still read them."
        ),
    ] = 3600,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Merge the parts that transactions added to chunk tables and director indexes; queries go on meanwhile."""
    with skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        done = testbed.compact(database, fewest=fewest, grace_s=grace, watcher=watcher)
    if json:
        print_json(asdict(done))
    elif not done.transaction:
        typer.echo(f"{database}: nothing to merge")
    else:
        typer.echo(
            f"{database}: {done.parts} parts merged into {done.tables} chunk tables, {done.indexes} director indexes, "
            f"{human_bytes(done.bytes)} in {done.elapsed_s:.1f} s (transaction {done.transaction})"
        )


def index_rebuild(
    database: Annotated[str, typer.Argument(help="The database whose director indexes are lost.", show_default=False)],
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Rebuild the director indexes from the chunk tables on the nodes."""
    with skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        keys = testbed.rebuild_indexes(database, watcher=watcher)
    _show_counts(keys, ["director", "keys"], json)


def mono_load(
    database: Annotated[str, typer.Argument(help="The published database to copy.", show_default=False)],
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Copy a database, unsharded, to the mono server, which is started if necessary."""
    with skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        rows = testbed.load_mono(database, watcher=watcher)
    _show_counts(rows, ["table", "rows"], json)


def _show_counts(counts: dict[str, int], heads: list[str], as_json: bool) -> None:
    if as_json:
        print_json(counts)
    else:
        print_table(heads, [[name, count] for name, count in counts.items()])


def _layout(path: Path | None) -> skyshard.Layout | None:
    """The layout of a file, or a shipped one by its name."""
    if path is None:
        return None
    shipped = data_folder("ingest", "layouts") / f"{path}.yaml"
    return skyshard.read_layout(shipped if shipped.is_file() and not path.is_file() else path)


def _names(text: str) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] or None
