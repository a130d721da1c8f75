"""Whatever stands in a YAML or JSON file of a user: one line with the file, never an error of a parser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from skyshard.basics.errors import UserError
from skyshard.bench.workload.workload import Workload
from skyshard.catalog.layout import Layout
from skyshard.catalog.strict_files import load_yaml, parse_model, read_located
from skyshard.ingest.sources.mapping import Mapping
from skyshard.ingest.sources.qserv_files import read_json, read_yaml

DEEP = 1200
"""Deeper than the parser can follow. Lists have a line each: many on one line take it seconds even when they end."""
BAD = {
    "deep list": "[\n" * DEEP,
    "deep mapping": "{a: " * DEEP,
    "deep blocks on one line": "- " * DEEP,
    "very deep list": "[\n" * 8 * DEEP,
    "deep blocks": "".join(" " * n + "a:\n" for n in range(DEEP)),
    "no such day": "day: 2026-99-99",
    "endless number": "n: " + "9" * 5000,
    "unknown tag": "a: !thing 1",
    "list as a key": "{[1]: 2}",
    "no such alias": "a: *b",
    "two documents": "a: 1\n---\nb: 2",
    "tab": "a:\n\tb: 1",
    "control character": "a: \x01",
    "truth value by its tag": "a: !!bool maybe",
    "date by its tag": "a: !!timestamp x",
}
NO_VALUES = {
    "2026-13-45": "'2026-13-45' is no date", "!!int x": "'x' is no whole number", "!!bool x": "'x' is no truth value",
    "9" * 5000: "too long for one; fix the file", "\x07": "the sign #x07 cannot be in it",
    "!!int ''": "'' is no whole number", "!!int -": "'-' is no whole number", "1:" * 200 + "0.5": "' is no number",
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("read", [load_yaml, read_yaml])
def test_a_bad_yaml_file_is_refused_in_one_line(tmp_path: Path, what: str, read: Callable[[Path], object]) -> None:
    """The file is named."""
    path = tmp_path / "x.yaml"
    path.write_text(BAD[what])
    with pytest.raises(UserError) as caught:
        read(path)
    assert f"'{path}'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", NO_VALUES, ids=lambda value: value[:10].encode("unicode_escape").decode())
def test_a_value_that_is_none_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    """Also of a nested key that an alias names again."""
    path = tmp_path / "x.yaml"
    path.write_text(f"a: &b\n- [{value}]\nc: *b\n")
    with pytest.raises(UserError) as caught:
        load_yaml(path)
    assert f"'{path}', line 2: it is not YAML: " in str(caught.value)
    assert NO_VALUES[value] in str(caught.value)


@pytest.mark.parametrize("text", ["", "1", "[]", "text", "&a [*a]", "a: 1", "null", "tables: &a {b: *a}"])
def test_yaml_of_another_shape_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    """What is YAML, but no layout and no workload, also where it holds itself."""
    path = tmp_path / "x.yaml"
    path.write_text(text)
    for read in (lambda: parse_model(Layout, path), lambda: read_located(Workload, path)):
        with pytest.raises(UserError) as caught:
            read()
        assert f"'{path}'" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 100_000, '{"a": ' + "9" * 5000 + "}", "{", "[]"])
def test_a_bad_json_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    """Nested too deeply, a number too long, cut off, no object."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_json(path)
    assert f"'{path}'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("striping: {stripes: 18}\nstriping: {stripes: 85}\n", 2, "striping"),
        ("a:\n  - b: 1\n    c: 2\n    b: 1\n", 4, "b"),
        ("a: &kept\n  b: 1\n  b: 2\nc: *kept\n", 3, "b"),
        ("{a: 1, 'a': 2}", 1, "a"),
        ("? {x: 1, x: 2}\n: 3\n", 1, "x"),
    ],
)
@pytest.mark.parametrize("read", [load_yaml, read_yaml, lambda path: parse_model(Layout, path)])
def test_a_key_that_is_given_twice_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, key: str, read: Callable[[Path], object]
) -> None:
    """The second of the two lines, whatever reads the file: its last value would silently win."""
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value) == f"'{path}', line {line}, key '{key}': it is given twice; keep one of the two"


def test_equal_keys_of_different_mappings_are_no_fault(tmp_path: Path) -> None:
    """Nor what an alias repeats, a number beside its text, and a value that a merged mapping has too."""
    path = tmp_path / "x.yaml"
    path.write_text("a: &one {k: 1, l: 2}\nb: {k: 1}\nc: *one\nd: *one\ne: {1: x, '1': y}\nf: {<<: *one, k: 3}\n")
    content = load_yaml(path)
    assert content["e"] == {1: "x", "1": "y"}
    assert content["f"] == {"k": 3, "l": 2}


_LOAD = "{class: LV, templates: [cone], %s}"
_WORKLOAD = "version: 1\nname: w\ndescription: d\ndatabase: d\nseed: 1\nphases: [{name: p, classes: [%s]}]\n"
_THRESHOLDS = "thresholds: [{class: LV, statistic: p50, at_most: N}]"
_STRIPING = "striping: {stripes: 18, substripes: 6, overlap_deg: 0.1}\n"
_COLUMN = f"version: 1\ndatabase: d\n{_STRIPING}tables: {{T: {{role: regular, files: [a], columns: {{x: {{%s}}}}}}}}"


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
@pytest.mark.parametrize(
    ("model", "text", "key"),
    [
        (Workload, _WORKLOAD % (_LOAD % "duration_s: N"), "duration_s"),
        (Workload, _WORKLOAD % (_LOAD % "count: 1, target_s: N"), "target_s"),
        (Workload, _WORKLOAD % (_LOAD % "count: 1, timeout_s: N"), "timeout_s"),
        (Workload, _WORKLOAD % (_LOAD % "count: 1, arrivals: {loop: closed, think_time_s: N}"), "arrivals"),
        (Workload, _WORKLOAD % (_LOAD % "count: 1") + _THRESHOLDS, "at_most"),
        (Layout, "version: 1\nstriping: {stripes: 18, substripes: 6, overlap_deg: N}\n", "overlap_deg"),
        (Mapping, _COLUMN % "factor: N", "factor"),
    ],
)  # fmt: skip
def test_no_number_of_a_file_is_infinite(
    tmp_path: Path, model: type[BaseModel], text: str, key: str, number: str
) -> None:
    """A duration without end is never over, and a factor of NaN would make every value NULL."""
    path = tmp_path / "x.yaml"
    path.write_text(text.replace("N", number))
    with pytest.raises(UserError, match=key) as caught:
        read_located(model, path)
    assert "\n" not in str(caught.value)
    path.write_text(text.replace("N", "2"))
    read_located(model, path)


@pytest.mark.parametrize("word", ["yes", "Off", "true"])
@pytest.mark.parametrize(
    ("model", "text", "key"),
    [
        (Workload, _WORKLOAD % (_LOAD % "count: 1") + _THRESHOLDS, "at_most"),
        (Layout, "version: 1\nstriping: {stripes: 18, substripes: 6, overlap_deg: N}\n", "striping.overlap_deg"),
        (Mapping, _COLUMN % "factor: N", "tables.T.columns.x.factor"),
        (Mapping, _COLUMN % "null_at: [-9, N]", "tables.T.columns.x.null_at.1"),
        (Mapping, _COLUMN % "constant: N", "tables.T.columns.x.constant"),
    ],
)  # fmt: skip
def test_a_truth_value_is_no_number(tmp_path: Path, model: type[BaseModel], text: str, key: str, word: str) -> None:
    """A sentinel ``no`` that YAML reads as false would make NULL of every 0; where truth is wanted it is taken."""
    path = tmp_path / "x.yaml"
    path.write_text(text.replace("N", word))
    for read in (read_located, parse_model):
        with pytest.raises(UserError, match=rf"{key}.*it is a truth value.*; write a number, or the word in quotes"):
            read(model, path)
    path.write_text(text.replace("N", "2").replace("role:", "mixed_types: yes, role:"))
    read_located(model, path)
