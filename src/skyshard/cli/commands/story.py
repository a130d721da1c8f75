"""``skyshard story query | transaction | node``: what happened to one of them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from skyshard.basics.readable import human_bytes, seconds
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table
from skyshard.log.line_output import utc
from skyshard.story.read_story import Stories
from skyshard.story.timeline import Story

LastOption = Annotated[int, typer.Option("--last", help="Number of events to show, the last ones; 0 for all.", min=0)]


def query(
    number: Annotated[int, typer.Argument(help="The query, as `queries` lists it.", metavar="N", show_default=False)],
    last: LastOption = 0,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show what happened to a query: plan, rounds, failures and fail-overs, end."""
    _show(Stories(cluster).query(number), last, as_json=json)


def transaction(
    number: Annotated[
        int, typer.Argument(help="The transaction, as `transactions` lists it.", metavar="N", show_default=False)
    ],
    last: LastOption = 0,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show what happened to an ingest transaction: tables, chunks, indexes, interruptions, end."""
    _show(Stories(cluster).transaction(number), last, as_json=json)


def node(
    name: Annotated[str, typer.Argument(help="A node, or czar or mono.", metavar="NAME", show_default=False)],
    last: LastOption = 0,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show what happened to a node: starts, stops, outages, what was decided of it, tables made, failed queries."""
    _show(Stories(cluster).node(name), last, as_json=json)


def _show(story: Story, last: int, *, as_json: bool) -> None:
    if as_json:
        print_json(story.as_json(last))
        return
    typer.echo(f"{story.subject} {story.name}: {story.facts['state']}")
    for name, value in story.facts.items():
        if name != "state" and value not in (None, "", [], {}):
            _show_fact(name, value)
    shown = story.events[-last:] if last else story.events
    begun_s = story.events[0].time_s if story.events else 0.0
    typer.echo("")
    print_table(
        ("time", "after", "process", "what happened"),
        [(utc(one.time_s), _after(one.time_s - begun_s), str(one.process or ""), one.text) for one in shown],
    )
    if len(shown) < len(story.events):
        typer.echo(f"{len(story.events) - len(shown)} earlier events are left out, --last 0 shows them")
    for note in story.notes:
        typer.echo(f"note: {note}")


def _after(passed_s: float) -> str:
    return seconds(passed_s) if passed_s else "0 s"


def _show_fact(name: str, value: Any) -> None:
    if isinstance(value, list):
        typer.echo(f"{name}:")
        print_table(tuple(value[0]), [tuple(one.values()) for one in value])
    elif isinstance(value, dict):
        typer.echo(f"{name.removesuffix('_s')}: {', '.join(f'{key} {seconds(took)}' for key, took in value.items())}")
    elif name.endswith("_s"):
        typer.echo(f"{name.removesuffix('_s')}: {seconds(value)}")
    elif name == "bytes" or name.endswith("_bytes"):
        typer.echo(f"{name.removesuffix('_bytes')}: {human_bytes(value)}")
    else:
        typer.echo(f"{name}: {' '.join(str(value).split())}")
