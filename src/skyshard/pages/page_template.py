"""Shared by all pages: the Jinja2 environment, numbers as text, tables in Markdown. Reads only the templates."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache

import jinja2
from markupsafe import Markup, escape

from skyshard.basics.readable import binary_bytes, digits, seconds


def render(package: str, template: str, content: Mapping[str, object]) -> str:
    """A page as text; the template is in the folder ``templates`` of a package, and may include those of this one."""
    return _environment(package).get_template(template).render(content)


@cache
def _environment(package: str) -> jinja2.Environment:
    """Templates are compiled once in a process."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader("skyshard.pages")]),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        seconds=seconds,
        count=count,
        size=binary_bytes,
        digits=digits,
        share=share,
        percent=percent,
        amount=amount,
        breakable=breakable,
        times=times,
        probability=probability,
    )
    return environment


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of GitHub's Markdown, its cells as plain text.

    >>> print(markdown_table(["a", "b"], [[1, "x|y"]]))
    | a | b |
    |---|---|
    | 1 | x\\|y |
    """
    texts = [f"| {' | '.join(plain_markdown(str(value)) for value in line)} |" for line in (headers, *rows)]
    return "\n".join([texts[0], f"|{'|'.join(['---'] * len(headers))}|", *texts[1:]])


def plain_markdown(text: str) -> str:
    """Escape a text, on one line, so that Markdown shows it unchanged.

    >>> plain_markdown("new_1 *a*\\n<b>|_c_"), plain_markdown("2 < 3")
    ('new_1 \\\\*a\\\\* \\\\<b\\\\>\\\\|\\\\_c\\\\_', '2 < 3')
    """
    return re.sub(_MARKS, r"\\\g<0>", " ".join(text.split()))


_MARKS = re.compile(r"[\\`*\[\]|~#]|<(?=\S)|(?<=\S)>|(?<![^\W_])_|_(?![^\W_])")
"""Characters that begin or end something in Markdown; an underscore within a word does not."""


def flatten(facts: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as (dotted name, text), in their order.

    >>> flatten({"striping": {"stripes": 85}, "nodes": ["node1", "node2"]})
    [('striping.stripes', '85'), ('nodes', 'node1, node2')]
    """
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            rows += flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            plain = all(isinstance(item, str | int | float) for item in value)
            rows.append((prefix + name, ", ".join(map(str, value)) if plain else json.dumps(value, default=str)))
        else:
            rows.append((prefix + name, f"{value:,}" if type(value) is int and value >= 100_000 else str(value)))
    return rows


def breakable(name: str, *, at_capitals: bool = False) -> Markup:
    """A name that may break after a slash or an underscore; in heads of narrow columns also before a capital.

    >>> str(breakable("LV/object_by_id")), str(breakable("DiaObjectLast <select>", at_capitals=True))
    ('LV/<wbr>object_<wbr>by_<wbr>id', 'Dia<wbr>Object<wbr>Last &lt;select&gt;')
    """
    places = r"([/_]|[a-z](?=[A-Z]))" if at_capitals else r"([/_])"
    return Markup(re.sub(places, r"\1<wbr>", str(escape(name))))


def count(value: float | None) -> str:
    """A count, or the mean of counts: whole from ten on.

    >>> count(None), count(0), count(0.04), count(3.25), count(9), count(12345.6)
    ('–', '0', '0.04', '3.2', '9', '12,346')
    """
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def share(value: float) -> str:
    return f"{100 * value:.2g} %"


def percent(value: float | None) -> str:
    """A share that is 0 % or 100 % only where it is so exactly.

    >>> percent(0.999999), percent(1.0), percent(0.00001), percent(0.5), percent(None)
    ('> 99.99 %', '100 %', '< 0.01 %', '50 %', '–')
    """
    if value is None:
        return "–"
    if 0 < value < 0.0001:
        return "< 0.01 %"
    if 0.9999 < value < 1:
        return "> 99.99 %"
    return f"{100 * value:.4g} %"


def amount(value: float | None) -> str:
    """A number of any size, with four digits.

    >>> amount(-0.000012345), amount(0.0), amount(1234567.0), amount(None)
    ('-1.234e-05', '0', '1.235e+06', '–')
    """
    return "–" if value is None else f"{value:.4g}"


def times(value: float) -> str:
    """A ratio.

    >>> times(1.2345)
    '1.23 ×'
    """
    return f"{value:.3g} ×"


def probability(p: float) -> str:
    """A p, which is never 0.

    >>> probability(0.0285714), probability(0.00002), probability(1.0)
    ('0.029', '< 0.001', '1')
    """
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"
