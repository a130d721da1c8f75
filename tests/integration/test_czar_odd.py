"""Hand-written statements over the odd sky: what the grammar does not draw, held against one server.

Which of several texts that the collation calls equal stands for a group is any server's own choice, so texts are
compared as the collation compares them. ``SKYSHARD_ALL`` asks all statements; CI asks a third of the long sections.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.odd_sky import odd_sky
from tests.support.same_answer import difference, folded, rows_in
from tests.support.split_sky import SplitSky

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import Czar
from skyshard.czar.result.output import write_csv, write_json, write_tsv

pytestmark = pytest.mark.integration
CASES = Path(__file__).resolve().parents[1] / "cases" / "odd.sql"
LONG_SECTION = 60
SECTIONS = dict(part.split("\n", 1) for part in CASES.read_text().split("\n\n-- ")[1:])


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster) -> Iterator[SplitSky]:
    with odd_sky(private_cluster, "odd", 5, 120) as made:
        yield made


@pytest.fixture(scope="module")
def by_image(sky: SplitSky, private_cluster: PrivateCluster) -> Iterator[Czar]:
    """A czar whose rows all travel as images, where they can."""
    data_dir = private_cluster.data_dir("czar")
    nodes = {name: private_cluster.node(name) for name in sky.nodes}
    with Czar(sky, private_cluster.endpoint("czar"), nodes, data_dir, text_rows=-1) as made:
        yield made


@pytest.mark.parametrize("section", SECTIONS)
def test_odd_statements_agree(sky: SplitSky, by_image: Czar, section: str) -> None:
    """Names, types and rows are those of one server."""
    wrong = []
    lines = SECTIONS[section].splitlines()
    step = 3 if len(lines) > LONG_SECTION and "SKYSHARD_ALL" not in os.environ else 1
    for number, line in enumerate(lines[::step]):
        sql, czar = line.removeprefix("! "), by_image if number % 2 else sky.czar
        got, want = czar.execute(sql, "odd"), sky.mono.execute(sql, "odd")
        is_ordered = line.startswith("! ")
        found = difference(got, want, is_ordered=is_ordered)
        found = found and difference(folded(got), folded(want), is_ordered=is_ordered)
        wrong += [f"{found}: {sql}"] if found else []
    assert wrong == []


@pytest.mark.parametrize("table", ["Odd", "Tail"])
def test_all_formats_hold_the_same_values(sky: SplitSky, by_image: Czar, table: str, tmp_path: Path) -> None:
    """CSV, TSV, JSON and Parquet read back as the Arrow table, with every digit and byte, as text and as row image."""
    for czar in (sky.czar, by_image):
        result = czar.execute(f"SELECT * FROM {table} ORDER BY 1", "odd")
        kinds = result.table.schema.types
        want = [[_plain(value) for value in row] for row in rows_in(result.table)]
        pq.write_table(result.named(), tmp_path / "t.parquet")
        read = pq.read_table(tmp_path / "t.parquet")
        assert read.schema.types == kinds
        assert [[_plain(value) for value in row.values()] for row in read.to_pylist()] == want
        out = io.BytesIO()
        write_json([result.table], result.columns, out)
        parsed = json.loads(out.getvalue(), parse_float=Decimal)
        assert parsed["columns"] == list(result.columns)
        assert [_typed(row, kinds, of_json=True) for row in parsed["rows"]] == want
        for write, read_lines in ((write_csv, _csv_lines), (write_tsv, _tsv_lines)):
            out = io.BytesIO()
            write(result.table, result.columns, out)
            lines = read_lines(out.getvalue())
            assert [bytes(name, "latin1").decode() for name in lines[0] if name] == list(result.columns)
            assert [_typed(row, kinds) for row in lines[1:]] == want


def _plain(value: Any) -> Any:
    """A value whose equality is exact: -0.0 is not 0.0."""
    return repr(value) if isinstance(value, float) else value


def _typed(row: list[Any], kinds: list[pa.DataType], *, of_json: bool = False) -> list[Any]:
    return [None if cell is None else _value(cell, kind, of_json) for cell, kind in zip(row, kinds, strict=True)]


def _value(cell: Any, kind: pa.DataType, of_json: bool) -> Any:
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return bytes.fromhex(cell[2:]) if of_json else cell.encode("latin1")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return cell if of_json else cell.encode("latin1").decode()
    if pa.types.is_integer(kind):
        return int(cell)
    if pa.types.is_decimal(kind):
        return Decimal(cell).quantize(Decimal(1).scaleb(-kind.scale)) if kind.precision < 29 else Decimal(cell)
    return repr(float(pa.scalar(float(cell), kind).as_py()))


def _csv_lines(data: bytes) -> list[list[str | None]]:
    r"""Cells as bytes in latin1; an unquoted ``\N`` is None, which the csv module cannot tell."""
    marked = data.replace(b'"\\N"', b"quoted")
    lines = list(csv.reader(io.StringIO(marked.decode("latin1"), newline="")))
    return [[None if cell == "\\N" else cell for cell in line] for line in lines]


def _tsv_lines(data: bytes) -> list[list[str | None]]:
    lines = data.decode("latin1").split("\n")[:-1]
    return [[_unescaped(cell) for cell in line.split("\t")] for line in lines]


def _unescaped(cell: str) -> str | None:
    if cell == "\\N":
        return None
    parts = re.split(r"\\(.)", cell)
    parts[1::2] = [{"t": "\t", "n": "\n", "r": "\r", "0": "\0"}.get(letter, letter) for letter in parts[1::2]]
    return "".join(parts)
