"""Query templates: header, parameters, and every shipped one renders to one statement."""

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.workload.query_template import read_template
from skyshard.host.shipped_data import data_folder

FOLDER = data_folder("queries", "sql")
HEADER = "-- class: LV\n-- description: d\n-- why: w\n"


def write(tmp_path: Path, text: str, folder: str = "LV") -> Path:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "x.sql").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1", "line 1: there is no header"),
        ("-- class: [\nSELECT 1", "not YAML"),
        ("-- class: LV\n-- description: d\nSELECT 1", "line 1, key 'why': it is missing; add it"),
        (HEADER + "-- speed: 1\nSELECT 1", "line 4, key 'speed': there is no such key"),
        (HEADER + "SELECT {{ id }}", "line 4: 'id' is not declared"),
        (HEADER + "-- parameters: {id: {type: id}}\nSELECT 1", "line 4: parameter 'id' is never used"),
        (HEADER + "SELECT {{ id ", "line 4"),
        (HEADER + "-- parameters: {x: {type: uniform, range: [2, 1]}}\nSELECT {{ x }}", "has its ends swapped"),
        (HEADER + '-- parameters: {x: {type: choice, values: ["a\' OR 1"]}}\nSELECT {{ x }}', "parameters.x"),
    ],
)
def test_a_wrong_template_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """The message names the file, and the line or the key."""
    with pytest.raises(UserError) as caught:
        read_template(write(tmp_path, text), "LV/x")
    assert message in str(caught.value)
    assert "x.sql" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_in_the_wrong_folder_is_refused(tmp_path: Path) -> None:
    """The header's class is the folder's name."""
    with pytest.raises(UserError, match="is in folder 'HV'"):
        read_template(write(tmp_path, HEADER + "SELECT 1", "HV"), "HV/x")


def test_a_missing_template_is_refused(tmp_path: Path) -> None:
    """A name without file gives one line with the path."""
    with pytest.raises(UserError, match="cannot read template"):
        read_template(tmp_path, "LV/none")


def test_the_sandbox_keeps_templates_from_python(tmp_path: Path) -> None:
    """An attribute that leads out of the values is refused, not followed."""
    text = HEADER + "-- parameters: {id: {type: id}}\nSELECT {{ id|attr('__class__') }}"
    template = read_template(write(tmp_path, text), "LV/x")
    with pytest.raises(UserError, match="unsafe"):
        template.render({"id": 1})


@pytest.mark.parametrize(
    ("declared", "used", "message"),
    [
        (
            "{type: box, width_deg: [1, 2], height_deg: [1, 2]}",
            "b.radius_deg",
            "box 'b' has no part 'radius_deg'; use one",
        ),
        ("{type: id}", "b.__class__", "id 'b' has no part '__class__'; write {{ b }}"),
    ],
)
def test_a_part_that_a_parameter_lacks_is_refused(tmp_path: Path, declared: str, used: str, message: str) -> None:
    """A box has no radius, an id no parts; the message names file, line and what there is."""
    text = f"{HEADER}-- parameters: {{b: {declared}}}\nSELECT {{{{ {used} }}}}"
    with pytest.raises(UserError) as caught:
        read_template(write(tmp_path, text), "LV/x")
    assert f"x.sql', line 5: {message}" in str(caught.value)


def test_a_parameter_with_parts_cannot_be_printed_whole(tmp_path: Path) -> None:
    """A box must be named by its parts."""
    text = HEADER + "-- parameters: {b: {type: box, width_deg: [1, 2], height_deg: [1, 2]}}\nSELECT {{ b }}"
    with pytest.raises(UserError, match="used whole"):
        read_template(write(tmp_path, text), "LV/x").render({"b": {"ra_min": 1.0}})
