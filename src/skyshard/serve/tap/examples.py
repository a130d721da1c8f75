"""``/examples``: queries that can be asked as they stand, made of the tables that there are. Source: DALI 1.1, 2.3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from skyshard.serve.tap.delimited_names import delimited
from skyshard.serve.tap.described_tables import DescribedSchema, DescribedTable
from skyshard.serve.tap.own_schema import NAME

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en">\n'
    "<head><title>Examples of queries</title></head>\n"
    '<body vocab="http://www.ivoa.net/rdf/examples#">\n<h1>Examples of queries</h1>\n'
)


def examples_page(schemas: Sequence[DescribedSchema]) -> str:
    """The page as XHTML with RDFa."""
    listed = f"SELECT * FROM {NAME}.tables ORDER BY table_name"
    parts = [_HEAD, _example("tables", "What there is", listed, f"{NAME}.tables")]
    for schema in schemas:
        for table in schema.tables:
            parts += _of_table(table)
    return "".join([*parts, "</body>\n</html>\n"])


def _of_table(table: DescribedTable) -> Iterator[str]:
    """A cone, of tables that have positions."""
    if table.position is None:
        return
    ra, dec = map(delimited, table.position)
    inside = f"CONTAINS(POINT('ICRS', {ra}, {dec}), CIRCLE('ICRS', 10.0, 5.0, 1.0))"
    cone = f"SELECT TOP 100 * FROM {table.shown} WHERE 1 = {inside}"
    yield _example(f"cone-{table.schema}-{table.name}", f"A cone of {table.shown}", cone, table.shown)


def _example(identifier: str, title: str, query: str, table: str) -> str:
    where = escape(identifier)
    return (
        f'<div typeof="example" id="{where}" resource="#{where}">\n<h2 property="name">{escape(title)}</h2>\n'
        f'<pre property="query">{escape(query)}</pre>\n<p>It asks <span property="table">{escape(table)}</span>.</p>\n'
        "</div>\n"
    )
