"""What the site makes from the code: pictures of packages and lifecycles, and the pages of commands and of the API."""

from __future__ import annotations

import doctest
import itertools
import re

import api_pages
import command_pages
import layered_drawing
import lifecycle_pictures
import package_pictures
import pytest
import typer
from layered_drawing import Arrow, Box

import skyshard
from skyshard.cli.app import app
from skyshard.registry.stored.lifecycle import (
    ContributionState,
    DatabaseState,
    ReplicaState,
    State,
    TransactionState,
    diagram,
)


@pytest.mark.timeout(60)  # it imports all commands
def test_every_command_is_on_the_page_of_commands() -> None:
    """With all its options; a hidden command is not."""
    page = command_pages.markdown()
    for path, command in command_pages.walk(typer.main.get_command(app), "skyshard"):
        assert f" `{path}`" in page
        for parameter in command.params:
            assert getattr(parameter, "hidden", False) or all(
                f"`{name}`" in page for name in parameter.opts if "-" in name
            )
    assert "run-query" not in page
    assert "skyshard ingest SOURCE [OPTIONS]" in page  # seen to have arguments and options
    assert "`--replicas`" in page


@pytest.mark.timeout(60)  # it imports all that the package exports
def test_every_public_name_is_on_the_page_of_the_api() -> None:
    """Each by the directive of its kind."""
    names = set(re.findall(r"^\.\. auto\w+:: skyshard\.(\w+)$", api_pages.markdown(), re.MULTILINE))
    assert names == {name for name in skyshard.__all__ if not name.startswith("__")}


@pytest.mark.parametrize("name", package_pictures.packages())
def test_a_package_is_drawn_with_all_its_parts_and_no_arrow_upwards(name: str) -> None:
    """``draw`` refuses an arrow that leads upwards, so a drawn picture is a proof."""
    picture = package_pictures.picture(name)
    shown = package_pictures.package(name)
    assert picture.count("<rect") == len(shown.sizes) == sum(map(len, shown.rows))
    assert picture.count('class="arrow"') <= len(shown.imports)
    for child in shown.sizes:
        assert f">{child}</text>" in picture


@pytest.mark.parametrize("kind", [DatabaseState, TransactionState, ContributionState, ReplicaState])
def test_a_lifecycle_is_drawn_with_all_states_and_events(kind: type[State]) -> None:
    """What the Mermaid text says is in the picture."""
    picture = lifecycle_pictures.picture(diagram(kind), "states")
    assert picture.count("<rect") == len(list(kind)) + 1
    for state in kind:
        assert f">{state}</text>" in picture


@pytest.mark.parametrize("text", ["graph TD\na --> b", "stateDiagram-v2\n    a -> b"])
def test_a_diagram_of_another_kind_is_refused(text: str) -> None:
    """Rather than drawn wrongly."""
    with pytest.raises(ValueError, match="state diagram"):
        lifecycle_pictures.picture(text, "no")


def test_an_arrow_upwards_is_refused() -> None:
    """A picture cannot hide it."""
    with pytest.raises(ValueError, match="does not lead downwards"):
        layered_drawing.draw([[Box("a")], [Box("b")]], [Arrow("b", "a")], "up")


def test_boxes_of_a_row_do_not_overlap() -> None:
    """However many arrows pull at them."""
    rows = [[Box("top")], [Box(f"middle{number}") for number in range(9)], [Box("bottom")]]
    arrows = [Arrow("top", box.name) for box in rows[1]] + [Arrow("top", "bottom")]
    picture = layered_drawing.draw(rows, arrows, "many")
    boxes = sorted(
        (float(x), float(width))
        for x, y, width in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', picture)
        if float(y) == layered_drawing.MARGIN + layered_drawing.ROW_HEIGHT
    )
    assert len(boxes) == 9
    assert all(left + width < right for (left, width), (right, _) in itertools.pairwise(boxes))


def test_the_examples_of_the_drawing_hold() -> None:
    """Its doctests."""
    assert doctest.testmod(layered_drawing).failed == 0
