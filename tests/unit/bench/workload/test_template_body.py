"""Bodies of templates: what they say arrives as it stands, what goes wrong is one line, and their work is bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.workload.query_template import QueryTemplate, read_template

HEADER = "-- class: LV\n-- description: d\n-- why: w\n-- parameters: {id: {type: id}}\n"


def template(folder: Path, body: str) -> QueryTemplate:
    (folder / "LV").mkdir(exist_ok=True)
    (folder / "LV" / "x.sql").write_text(HEADER + body, encoding="utf-8", newline="")
    return read_template(folder, "LV/x")


def rendered(folder: Path, body: str) -> str:
    return template(folder, body).render({"id": 5})


@pytest.mark.parametrize(
    ("body", "sql"),
    [
        ("SELECT 1\n\n  FROM   Object\nWHERE x = {{ id }};\n", "SELECT 1 FROM Object WHERE x = 5"),
        ("SELECT 1 -- one\nFROM t WHERE x = {{ id }}", "SELECT 1 -- one\nFROM t WHERE x = 5"),
        ("SELECT 1 # one\nFROM t WHERE x = {{ id }}", "SELECT 1 # one\nFROM t WHERE x = 5"),
        ("SELECT /* a\n  b */ 1,  {{ id }}", "SELECT /* a\n  b */ 1,  5"),
        ("SELECT 'a  b', {{ id }}", "SELECT 'a  b', 5"),
        ("SELECT 'a\n\tb', {{ id }};", "SELECT 'a\n\tb', 5"),
        ('SELECT "a  -- b", {{ id }}', 'SELECT "a  -- b", 5'),
        ("SELECT `a  b`,  {{ id }} FROM t", "SELECT `a  b`,  5 FROM t"),
        ("SELECT $$a  b$$, {{ id }}", "SELECT $$a  b$$, 5"),
        ("SELECT 'it''s  \\' it', {{ id }}", "SELECT 'it''s  \\' it', 5"),
        ("SELECT 5--{{ id }}\n, 2", "SELECT 5--5\n, 2"),
        ("SELECT 'a\u2028b\x0cc\x85d', {{ id }}", "SELECT 'a\u2028b\x0cc\x85d', 5"),
        ("SELECT {# not\nsaid #}{{ id }}", "SELECT 5"),
        ("SELECT {% for x in [1, 2] %}{{ x }}, {% endfor %}{{ id }}", "SELECT 1, 2, 5"),
        ("{% set twice = id * 2 %}SELECT {{ twice }}", "SELECT 10"),
        ("SELECT {{ (id / 3)|round(3) }}, {{ 'a' ~ 'b' }}", "SELECT 1.667, ab"),
    ],
)
def test_a_statement_arrives_as_it_was_written(tmp_path: Path, body: str, sql: str) -> None:
    """White space goes where it means nothing; of a statement with a text, a quoted name or a comment it stays."""
    assert rendered(tmp_path, body) == sql


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    """As some editors write it."""
    template(tmp_path, "SELECT {{ id }}")
    path = tmp_path / "LV" / "x.sql"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_template(tmp_path, "LV/x").render({"id": 1}) == "SELECT 1"


DEEP = "(" * 5000 + "1" + ")" * 5000
NESTED = "{% for a in 'aaaaaaaaaa' %}" * 9 + "{% endfor %}" * 9


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("SELECT {{ id }},\n{{ 1/0 }}", 6, "division by zero"),
        ("SELECT {{ id }}\n\n{{ id % 0 }}", 7, "modulo"),
        ("SELECT {{ id }} {{ nope }}", 5, "'nope' is not declared"),
        ("SELECT {{ id }}\n{{ Object['nope'] }}", 6, "has no attribute 'nope'"),
        ("SELECT {{ id }}\n{{ id|nope }}", 6, "No filter named 'nope'"),
        ("SELECT {{ id }}\n{% if id is nope %}{% endif %}", 6, "No test named 'nope'"),
        ("SELECT {{ id }}\n{% if id %}", 6, "end of template"),
        ("SELECT {{ id }}\n{{ id + 'a' }}", 6, "unsupported operand"),
        ("SELECT {{ id }}\n{{ id() }}", 6, "calls nothing"),
        ("SELECT {{ id }}{% for x in range(10) %}{% endfor %}", 5, "calls nothing"),
        ("{% macro f() %}{{ f() }}{% endmacro %}SELECT {{ id }}", 5, "calls nothing"),
        ("{% for x in [[1]] recursive %}{{ loop(x) }}{% endfor %}SELECT {{ id }}", 5, "calls nothing"),
        ("{% include 'y' %}SELECT {{ id }}", 5, "includes nothing"),
        ("{% from 'y' import z %}SELECT {{ id }}", 5, "includes nothing"),
        ("{% extends 'y' %}SELECT {{ id }}", 5, "includes nothing"),
        ("SELECT {{ id }}\n" + NESTED, 6, "more than 10,000 times"),
        ("SELECT {{ id }}\n{{ 'a' * 10**10 }}", 6, "'*' is for numbers"),
        ("SELECT {{ id }}\n{{ 10**1000 }}", 6, "a power beyond 64"),
        ("SELECT {{ id }}\n{{ '%999999999d' % id }}", 6, "'%' is for numbers"),
        ("SELECT {{ id }}\n{{ 'a'|center(10**9) }}", 6, "No filter named 'center'"),
        ("SELECT {{ id }}\n{{ " + DEEP + " }}", 1, ""),
        ("SELECT {{ id }}\n{{ " + "9" * 5000 + " }}", 1, "digits"),
    ],
)
def test_what_goes_wrong_in_a_body_is_one_line(tmp_path: Path, body: str, line: int, message: str) -> None:
    """File and line; nothing goes on for ever, nothing reaches Python."""
    with pytest.raises(UserError) as caught:
        rendered(tmp_path, body)
    assert f"x.sql', line {line}: " in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """The byte is named."""
    template(tmp_path, "SELECT {{ id }}")
    path = tmp_path / "LV" / "x.sql"
    path.write_bytes(path.read_bytes() + b" -- \xe9t\xe9")
    with pytest.raises(UserError, match=r"x\.sql' is not UTF-8 at byte"):
        read_template(tmp_path, "LV/x")


def test_a_header_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    """As every YAML of a user."""
    (tmp_path / "LV").mkdir()
    (tmp_path / "LV" / "x.sql").write_text("-- class:\n" + "--   [\n" * 1200 + "SELECT 1")
    with pytest.raises(UserError, match=r"x\.sql': the header is nested too deeply"):
        read_template(tmp_path, "LV/x")
