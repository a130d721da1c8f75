"""Mapping files: input columns become the table's by the rules, every change counted, everything else refused."""

from __future__ import annotations

import gzip
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.support.partitioned import conversions_of, digests_of, partition_all

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Table
from skyshard.ingest.source import InputBatch, Source
from skyshard.ingest.sources.mapping import read_mapping
from skyshard.ingest.sources.open_source import open_source
from skyshard.ingest.sources.parquet_files import ParquetReader, parquet_slices
from skyshard.ingest.values.column_expression import evaluate, names_in

OBJECT: dict[str, Any] = {
    "files": ["*.parquet"], "role": "director", "key": "id", "position": ["ra", "dec"],
    "declare": [
        {"name": "id", "type": "bigint"}, {"name": "ra", "type": "float"}, {"name": "dec", "type": "double"},
        {"name": "flux", "type": "float"}, {"name": "colour", "type": "double"}, {"name": "band", "type": "char(1)"},
        {"name": "flag", "type": "boolean"},
    ],
    "columns": {
        "ra": {"from": "alpha"}, "dec": {"from": "delta"},
        "flux": {"from": "raw", "factor": 10.0, "null_at": [-999]},
        "colour": {"derive": "(g - r) / 2", "null_at": [-99]}, "band": {"constant": "i"},
    },
}  # fmt: skip
ROWS = {
    "id": [1, 2, 3], "alpha": [10.0, 359.5, 200.25], "delta": [-5.0, 0.0, 45.5], "raw": [1.5, -999.0, float("nan")],
    "g": [3.0, -99.0, 1.0], "r": [1.0, 2.0, None], "flag": [True, None, False], "extra": ["a", "b", "c"],
}  # fmt: skip


def write_mapping(folder: Path, **tables: dict[str, Any]) -> Path:
    path = folder / "mapping.yaml"
    content = {
        "version": 1, "database": "made", "tables": tables,
        "striping": {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    return path


def write_parquet(folder: Path, name: str = "a.parquet", **changes: Any) -> Path:
    values = {**ROWS, **changes}
    arrays = {key: value if isinstance(value, pa.Array) else pa.array(value) for key, value in values.items()
              if value is not None}  # fmt: skip
    pq.write_table(pa.table(arrays), folder / name)
    return folder / name


def read(source: Source, table: str = "Object") -> InputBatch:
    entry = source.tables[table]
    batches = [b for piece in entry.slices for b in entry.reader.batches(piece, entry.table, entry.layout)]
    assert len(batches) == 1
    return batches[0]


def refused(path: Path, staging: Path) -> str:
    with pytest.raises(UserError) as caught:
        partition_all(open_source(path), staging)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rules_make_the_columns(tmp_path: Path) -> None:
    """Renamed, scaled, derived and constant columns, sentinels and NaN as NULL; every change is counted."""
    write_parquet(tmp_path)
    batch = read(open_source(write_mapping(tmp_path, Object=OBJECT)))
    assert batch.batch.to_pydict() == {
        "id": [1, 2, 3], "ra": [10.0, 359.5, 200.25], "dec": [-5.0, 0.0, 45.5], "flux": [15.0, None, None],
        "colour": [1.0, None, None], "band": [b"i"] * 3, "flag": [1, None, 0],
    }  # fmt: skip
    assert dict(batch.conversions) == {
        "flux: -999 → NULL": 1, "flux: x 10": 2, "flux: NaN or infinity → NULL": 1, "colour: -99 → NULL": 1,
        "colour = (g - r) / 2": 3, "flag: true, false → 1, 0": 2,
    }  # fmt: skip


def test_plan_names_what_the_rules_change(tmp_path: Path) -> None:
    """Conversions that are known before the rows are seen, and the input columns that nobody takes."""
    write_parquet(tmp_path)
    assert open_source(write_mapping(tmp_path, Object=OBJECT)).tables["Object"].conversions == (
        "ra: from alpha", "dec: from delta", "flux: from raw, -999 → NULL, x 10", "colour: = (g - r) / 2, -99 → NULL",
        "band: = i", "1 input columns left out: extra",
    )  # fmt: skip


def test_sentinel_without_a_rule_stays(tmp_path: Path) -> None:
    """-999 is a value wherever the mapping does not say otherwise."""
    write_parquet(tmp_path)
    rules = {**OBJECT["columns"], "flux": {"from": "raw"}}
    batch = read(open_source(write_mapping(tmp_path, Object={**OBJECT, "columns": rules})))
    assert batch.batch.column("flux").to_pylist() == [1.5, -999.0, None]


def test_text_and_parquet_give_equal_rows(tmp_path: Path) -> None:
    """CSV with header, TSV without, gzip, carriage returns: the same rows as Parquet, in the same chunks."""
    write_parquet(tmp_path)
    wanted = digests_of(partition_all(open_source(write_mapping(tmp_path, Object=OBJECT)), tmp_path / "s0")["Object"])
    names = list(ROWS)
    rows = [["" if v is None else str(v) for v in row] for row in zip(*ROWS.values(), strict=True)]
    csv = "\n".join(",".join(row) for row in [names, *rows]) + "\n"
    quoted = "\r\n".join(",".join(f'"{v}"' if v else "" for v in row) for row in [names, *rows]) + "\r\n"
    tsv = "\n".join("\t".join(v or "\\N" for v in row) for row in rows)
    cases: dict[str, tuple[bytes, dict[str, Any]]] = {
        "a.csv": (csv.encode(), {"null_text": ""}),
        "b.csv": (quoted.encode(), {"null_text": ""}),
        "c.csv.gz": (gzip.compress(csv.encode()), {"null_text": ""}),
        "d.tsv": (tsv.encode(), {"header": False, "fields": names, "separator": "\t", "quote": ""}),
    }
    for name, (content, text) in cases.items():
        (tmp_path / name).write_bytes(content)
        path = write_mapping(tmp_path, Object={**OBJECT, "files": [name], "text": text})
        found = partition_all(open_source(path), tmp_path / f"s-{name}")["Object"]
        assert digests_of(found) == wanted, name


def test_files_in_any_order_scatter_over_chunks(tmp_path: Path) -> None:
    """One file a visit, rows of many chunks in each: the chunk tables are those of one file with all rows."""
    import numpy as np

    random = np.random.default_rng(1)
    whole = {
        "id": np.arange(300), "alpha": random.uniform(0, 20, 300), "delta": random.uniform(-10, 10, 300),
        "raw": random.random(300), "g": random.random(300), "r": random.random(300), "flag": random.random(300) < 0.5,
    }  # fmt: skip
    order = random.permutation(300)
    for visit, rows in enumerate(np.array_split(order, 7)):
        write_parquet(tmp_path, f"visit{visit}.parquet", extra=None, **{k: pa.array(v[rows]) for k, v in whole.items()})
    (tmp_path / "one").mkdir()
    write_parquet(tmp_path / "one", extra=None, **{k: pa.array(v) for k, v in whole.items()})
    many = partition_all(open_source(write_mapping(tmp_path, Object=OBJECT)), tmp_path / "s1")["Object"]
    one = partition_all(open_source(write_mapping(tmp_path / "one", Object=OBJECT)), tmp_path / "s2")["Object"]
    assert len(many) == 7
    assert digests_of(many) == digests_of(one)
    assert len(digests_of(one)) > 20


def test_row_groups_of_a_large_file_are_parts(tmp_path: Path) -> None:
    """Parts of one file cover its row groups and its bytes once, and give its rows, numbered as in the file."""
    path = tmp_path / "big.parquet"
    content = pa.table({"id": pa.array(range(1000)), "x": pa.array([i * 0.5 for i in range(1000)])})
    pq.write_table(content, path, row_group_size=100)
    slices, _ = parquet_slices(path, split_bytes=2000)
    assert 3 < len(slices) <= 10
    assert [piece.row_groups[0] for piece in slices[1:]] == [piece.row_groups[1] + 1 for piece in slices[:-1]]  # type: ignore[index]
    assert sum(piece.bytes for piece in slices) == path.stat().st_size
    assert sum(piece.rows or 0 for piece in slices) == 1000
    assert len({piece.fingerprint() for piece in slices}) == len(slices)
    table = open_source(write_mapping(tmp_path, Big=BIG)).tables["Big"]
    batches = [b for piece in slices for b in ParquetReader().batches(piece, table.table, table.layout)]
    assert pa.Table.from_batches([b.batch for b in batches]).equals(content)
    assert [b.first_row for b in batches] == [1 + sum(p.rows or 0 for p in slices[:i]) for i in range(len(slices))]


BIG = {
    "files": ["*.parquet"], "role": "regular",
    "declare": [{"name": "id", "type": "bigint"}, {"name": "x", "type": "double"}],
}  # fmt: skip


def test_position_keeps_the_digits_of_the_input(tmp_path: Path) -> None:
    """Beside a FLOAT position column the input's own value is handed over, also after a factor."""
    import math

    write_parquet(tmp_path, alpha=[math.radians(v) for v in (10.000000123, 20.0, 30.0)])
    rules = {**OBJECT["columns"], "ra": {"from": "alpha", "factor": 57.29577951308232}}
    batch = read(open_source(write_mapping(tmp_path, Object={**OBJECT, "columns": rules})))
    assert batch.positions is not None
    assert batch.positions[0][0] == pytest.approx(10.000000123, abs=1e-12)
    assert batch.batch.column("ra")[0].as_py() != batch.positions[0][0]


def test_missing_column_is_null_where_allowed(tmp_path: Path) -> None:
    """A column that one file lacks is NULL there and counted; without leave it is refused by name."""
    write_parquet(tmp_path, "a.parquet")
    write_parquet(tmp_path, "b.parquet", id=[7, 8, 9], flag=None)
    message = refused(write_mapping(tmp_path, Object=OBJECT), tmp_path / "s1")
    assert "b.parquet' has no column 'flag' for 'flag'" in message
    path = write_mapping(tmp_path, Object={**OBJECT, "allow_missing": ["flag"]})
    reports = partition_all(open_source(path), tmp_path / "s2")["Object"]
    assert conversions_of(reports)["flag: not in the file → NULL"] == 3


@pytest.mark.parametrize("kind", ["varchar(10)", "int"])
def test_a_missing_column_of_text_with_words_for_null_is_null_where_allowed(tmp_path: Path, kind: str) -> None:
    """Its rule has nothing to read; it ended as a bug."""
    (tmp_path / "a.csv").write_text("id,ra,dec\n1,2,3\n")
    table = {
        "files": ["a.csv"], "format": "text", "text": {"separator": ","}, "role": "director", "key": "id",
        "position": ["ra", "dec"], "columns": {"note": {"null_at": ["none"]}}, "allow_missing": ["note"],
        "declare": [
            {"name": "id", "type": "bigint"}, {"name": "ra", "type": "double"}, {"name": "dec", "type": "double"},
            {"name": "note", "type": kind},
        ],
    }  # fmt: skip
    batch = read(open_source(write_mapping(tmp_path, Object=table)))
    assert batch.batch.to_pylist() == [{"id": 1, "ra": 2.0, "dec": 3.0, "note": None}]
    assert batch.conversions["note: not in the file → NULL"] == 1


def test_types_of_different_kinds_are_refused_unless_allowed(tmp_path: Path) -> None:
    """Integers in one file, floats in the next: named with both files; widths of one kind may differ."""
    write_parquet(tmp_path, "a.parquet")
    write_parquet(tmp_path, "b.parquet", id=pa.array([4, 5, 6], pa.int32()))
    partition_all(open_source(write_mapping(tmp_path, Object=OBJECT)), tmp_path / "s1")
    write_parquet(tmp_path, "b.parquet", id=[4.0, 5.0, 6.0])
    message = refused(write_mapping(tmp_path, Object=OBJECT), tmp_path / "s2")
    assert f"column 'id' is integer in '{tmp_path}/a.parquet' and floating in '{tmp_path}/b.parquet'" in message
    partition_all(open_source(write_mapping(tmp_path, Object={**OBJECT, "mixed_types": True})), tmp_path / "s3")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": [1, None, 3]}, "row 2, column 'id': NULL in a NOT NULL column"),
        ({"id": [1, 2.5, 3]}, "row 2, column 'id': 2.5 of Parquet type double does not fit bigint"),
        ({"delta": [0.0, 91.0, 1.0]}, "row 2: position (359.5, 91) in columns 'ra' and 'dec' is not on the sphere"),
        ({"alpha": [0.0, None, 1.0]}, "row 2: position (nan, 0) in columns 'ra' and 'dec'"),
        ({"raw": [1e39, 1.0, 1.0]}, "row 1, column 'flux'"),
        ({"flag": pa.array([[1], [2], [3]])}, "column 'flag'"),
        ({"id": [1, 1, 3]}, "a.parquet', rows 1 and 2; there may be more; say duplicates: keep-first"),
    ],
)
def test_wrong_value_is_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """File, row and column of a value that cannot be taken."""
    write_parquet(tmp_path, **changes)
    message = refused(write_mapping(tmp_path, Object=OBJECT), tmp_path / "staging")
    assert words in message
    assert "a.parquet" in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": {"nix": {"from": "a"}}}, "no column 'nix'"),
        ({"columns": {"flux": {"from": "nix"}}}, "has no column 'nix' for 'flux'"),
        ({"columns": {"flux": {"form": "raw"}}}, "key 'tables.Object.columns.flux.form': Extra inputs"),
        ({"columns": {"flux": {"from": "raw", "derive": "g"}}}, "give one of 'from', 'derive' and 'constant'"),
        ({"columns": {"flux": {"derive": "__import__('os')"}}}, "a call is not arithmetic"),
        ({"columns": {"flux": {"derive": "g ** r"}}}, "Pow is not known"),
        ({"columns": {"flux": {"derive": "g +"}}}, "expression 'g +'"),
        ({"omit": ["nix"]}, "no column 'nix'"),
        ({"position": ["ra", "nix"]}, "no column 'nix'"),
        ({"position": None}, "a director without position"),
        ({"role": "dependent", "key": ""}, "a dependent without director and key"),
        ({"files": ["none/*.parquet"]}, "no file none/*.parquet under"),
        ({"declare": [{"name": "id", "type": "hypercube"}]}, "unsupported column type 'hypercube'"),
        ({"text": {"header": False}}, "give 'fields' for files without header line"),
        ({"role": "boss"}, "key 'tables.Object.role'"),
    ],
)
def test_wrong_mapping_is_one_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """Each mistake names the mapping's key, column or file."""
    write_parquet(tmp_path)
    table = {**OBJECT, **changes}
    if "columns" in changes:
        table["columns"] = {**OBJECT["columns"], **changes["columns"]}
    with pytest.raises(UserError) as caught:
        open_source(write_mapping(tmp_path, Object={k: v for k, v in table.items() if v is not None}))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(20)
def test_unknown_schema_layout_and_base_are_named(tmp_path: Path) -> None:
    """A mapping that names what is not shipped is told what is."""
    write_parquet(tmp_path)
    path = write_mapping(tmp_path, Object=OBJECT)
    good = yaml.safe_load(path.read_text())
    for change, words in (
        ({"extends": "hcs"}, "no mapping 'hcs' is shipped; there are dp02, dp1, dp2, hsc, hsc-gen2, hsc-gen3"),
        (
            {"layout": "x", "striping": None},
            "no layout 'x' is shipped; there are apdb-85-12, apdb-85-48, kpm-85-12, qserv-340-3",
        ),
        ({"schema": "nix"}, "no schema 'nix'"),
        ({"schema": "hsc", "tables": {"Stars": OBJECT}}, "the schema has no table 'Stars'"),
        ({"striping": None}, "give one of 'striping' and 'layout'"),
        ({"version": 2}, "key 'version'"),
    ):
        path.write_text(yaml.safe_dump({**good, **change}))
        with pytest.raises(UserError) as caught:
            open_source(path)
        assert words in str(caught.value)


def test_mapping_that_extends_goes_before_its_base(tmp_path: Path) -> None:
    """Keys of a table and of the mapping replace those of the file that it extends; a null table is taken out."""
    base = write_mapping(tmp_path, Object=OBJECT, Other={**BIG, "files": ["none"]})
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump(
            {"version": 1, "extends": "./mapping.yaml", "database": "mine", "layout": "kpm-85-12",
             "tables": {"Other": None, "Object": {"files": ["x/*.parquet"]}}}
        )
    )  # fmt: skip
    mine, known = read_mapping(tmp_path / "mine.yaml"), read_mapping(base)
    assert (mine.database, mine.layout, mine.striping) == ("mine", "kpm-85-12", None)
    assert mine.tables["Object"].files == ["x/*.parquet"]
    assert mine.tables["Object"].columns == known.tables["Object"].columns
    assert "Other" not in mine.tables


def test_changed_source_is_refused(tmp_path: Path) -> None:
    """A file that is written again between plan and ingest is named, whole or by row groups."""
    path = write_parquet(tmp_path)
    source = open_source(write_mapping(tmp_path, Object=OBJECT))
    write_parquet(tmp_path, alpha=[1.0, 2.0, 3.0])
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))
    with pytest.raises(UserError, match="has changed since the ingest was planned"):
        partition_all(source, tmp_path / "staging")


def test_empty_files_and_row_groups_are_no_rows(tmp_path: Path) -> None:
    """A Parquet file without rows, one with an empty row group, a text file of a header alone."""
    whole = pa.table({key: pa.array(value) for key, value in ROWS.items()})
    with pq.ParquetWriter(tmp_path / "a.parquet", whole.schema) as writer:
        writer.write_table(whole.slice(0, 0))
        writer.write_table(whole)
        writer.write_table(whole.slice(0, 0))
    pq.write_table(whole.slice(0, 0), tmp_path / "b.parquet")
    reports = partition_all(open_source(write_mapping(tmp_path, Object=OBJECT)), tmp_path / "s1")["Object"]
    assert sorted(report.rows for report in reports) == [0, 3]
    (tmp_path / "c.csv").write_text(",".join(ROWS) + "\n")
    (tmp_path / "d.csv").write_text("")
    path = write_mapping(tmp_path, Object={**OBJECT, "files": ["*.csv"]})
    assert sum(r.rows for r in partition_all(open_source(path), tmp_path / "s2")["Object"]) == 0


@pytest.mark.parametrize(
    ("values", "others", "column", "stored"),
    [
        (
            pa.array(["a"]),
            [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
            "varchar(4)", b"a",
        ),
        (pa.array([b"a"]), [pa.binary(1), pa.large_binary()], "varbinary(4)", b"a"),
        (pa.array([0], pa.date32()), [pa.date64()], "date", b"1970-01-01"),
        (pa.array([0], pa.time32("ms")), [pa.time64("ns")], "time", b"00:00:00"),
    ],
)  # fmt: skip
def test_files_may_keep_values_of_one_kind_in_other_ways(
    tmp_path: Path, values: pa.Array, others: list[pa.DataType], column: str, stored: bytes
) -> None:
    """As other writers do: pyarrow's strings beside those of polars or pandas."""
    for number, kind in enumerate([values.type, *others]):
        pq.write_table(pa.table({"v": values.cast(kind)}), tmp_path / f"{number}.parquet")
    table = {"files": ["*.parquet"], "role": "regular", "declare": [{"name": "v", "type": column}]}
    batches = batches_of(open_source(write_mapping(tmp_path, T=table)))
    assert [row["v"] for batch in batches for row in batch.batch.to_pylist()] == [stored] * (len(others) + 1)


def test_a_file_may_spell_columns_in_another_case(tmp_path: Path) -> None:
    """Inputs of rules and conditions are found all the same, unless there are two that may be meant."""
    write_parquet(tmp_path, "a.parquet")
    pq.write_table(
        pq.read_table(tmp_path / "a.parquet").rename_columns([name.upper() for name in ROWS]), tmp_path / "b.parquet"
    )
    table = {**OBJECT, "where": "id < 3", "allow_missing": True, "duplicates": "keep-all"}
    source = open_source(write_mapping(tmp_path, Object=table)).tables["Object"]
    first, second = (list(source.reader.batches(piece, source.table, source.layout)) for piece in source.slices)
    assert [batch.batch.num_rows for batch in first] == [2]
    assert [batch.batch for batch in first] == [batch.batch for batch in second]
    assert first[0].conversions == second[0].conversions


def test_a_flipped_bit_is_found_where_pages_have_checksums(tmp_path: Path) -> None:
    """No value is taken from a page that is not what was written."""
    path = write_parquet(tmp_path)
    table = pq.read_table(path)
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    content = path.read_bytes()
    at = content.index(np.float64(200.25).tobytes())
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    assert pq.read_table(path)["alpha"] != table["alpha"]
    message = refused(write_mapping(tmp_path, Object=OBJECT), tmp_path / "staging")
    assert "a.parquet' is no whole Parquet file: could not verify page integrity" in message


def test_an_encrypted_file_is_not_called_broken(tmp_path: Path) -> None:
    """Copying it again would not help."""
    path = write_parquet(tmp_path)
    path.write_bytes(path.read_bytes()[:-4] + b"PARE")
    message = refused(write_mapping(tmp_path, Object=OBJECT), tmp_path / "staging")
    assert "a.parquet' is Parquet of a kind that is not read: Could not read encrypted metadata" in message


def test_a_column_that_only_folders_give_is_told(tmp_path: Path) -> None:
    """Its values are in no file; where the table has a column of that name, they are."""
    (tmp_path / "night=7").mkdir()
    write_parquet(tmp_path, "night=7/a.parquet")
    table = {**OBJECT, "files": ["night=*/*.parquet"]}
    notes = open_source(write_mapping(tmp_path, Object=table)).tables["Object"].notes
    assert notes == ("1 columns left out, only folders have their values: night (night=7); declare them",)
    declared = [*OBJECT["declare"], {"name": "night", "type": "int"}]
    columns = {**OBJECT.get("columns", {}), "night": {"constant": 7}}
    made = write_mapping(tmp_path, Object={**table, "declare": declared, "columns": columns})
    assert open_source(made).tables["Object"].notes == ()
    write_parquet(tmp_path, "night=7/a.parquet", NIGHT=[7, 7, 7])
    assert open_source(write_mapping(tmp_path, Object=table)).tables["Object"].notes == ()


@pytest.mark.parametrize("schema", ["", "infer"])
def test_a_declared_column_takes_the_values_of_folders(tmp_path: Path, schema: str) -> None:
    """As texts are taken: numbers by the column's type; a NULL of Hive's, letters that no folder has, conditions."""
    parts = {"band=g/night=007": "a", "band=a%2Fb/night=8": "b", "band=__HIVE_DEFAULT_PARTITION__/night=9": "c"}
    for number, (part, name) in enumerate(parts.items()):
        (tmp_path / part).mkdir(parents=True)
        pq.write_table(pa.table({"n": [number, number + 10]}), tmp_path / part / f"{name}.parquet")
    kinds = {"n": "bigint", "band": "varchar(9)", "night": "int"}
    table: dict[str, Any] = {"files": ["**/*.parquet"], "role": "regular", "where": "night < 9 or n < 10"}
    table["declare"] = [{"name": name, "type": kind} for name, kind in kinds.items() if name != "n" or not schema]
    path = write_mapping(tmp_path, T=table)
    path.write_text(path.read_text() + (f"schema: {schema}\n" if schema else ""))
    source = open_source(path)
    rows = [row for batch in batches_of(source) for row in batch.batch.to_pylist()]
    assert {(row["n"], row["band"], row["night"]) for row in rows} == {
        (0, b"g", 7), (10, b"g", 7), (1, b"a/b", 8), (11, b"a/b", 8), (2, None, 9),
    }  # fmt: skip
    assert source.tables["T"].notes == ()


def test_folders_above_the_catalog_give_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it lies, and however its path is spelled; a folder in another case, or of a renamed column, gives it."""
    top = tmp_path / "night=7"
    (top / "Band=g").mkdir(parents=True)
    pq.write_table(pa.table({"n": [1]}), top / "Band=g" / "a.parquet")
    kinds = {"n": "bigint", "night": "int", "filter": "char(1)"}
    columns = {"declare": [{"name": name, "type": kind} for name, kind in kinds.items()]}
    table = {"files": ["**/*.parquet"], "role": "regular", "columns": {"filter": {"from": "band"}}, **columns}
    path = write_mapping(top, T={**table, "allow_missing": ["night"]})
    monkeypatch.chdir(top)
    for source in (open_source(path), open_source(Path(path.name))):
        assert batches_of(source)[0].batch.to_pylist() == [{"n": 1, "night": None, "filter": b"g"}]
        assert source.tables["T"].notes == ()


def test_a_folder_whose_letters_are_no_text_is_refused(tmp_path: Path) -> None:
    """What stands for them would be another value."""
    (tmp_path / "band=%e9").mkdir()
    pq.write_table(pa.table({"n": [1]}), tmp_path / "band=%e9" / "a.parquet")
    columns = [{"name": "n", "type": "bigint"}, {"name": "band", "type": "char(1)"}]
    table = {"files": ["**/*.parquet"], "role": "regular", "declare": columns}
    with pytest.raises(UserError, match="folder 'band=%e9' has letters that are not UTF-8; rename the folder"):
        open_source(write_mapping(tmp_path, T=table))


def test_a_column_of_a_file_is_not_taken_by_two_spellings(tmp_path: Path) -> None:
    """Neither is its name: the one that is not there is named, and not NULL."""
    pq.write_table(pa.table({"Flux": [1.5]}), tmp_path / "a.parquet")
    columns = {"one": {"from": "flux"}, "two": {"from": "FLUX"}}
    table: dict[str, Any] = {"files": ["a.parquet"], "role": "regular", "columns": columns}
    table["declare"] = [{"name": name, "type": "double"} for name in columns]
    assert "has no column 'flux' for 'one'" in refused(write_mapping(tmp_path, T=table), tmp_path / "staging")


def test_files_of_other_folders_are_other_inputs(tmp_path: Path) -> None:
    """Though their bytes are the same, where the table takes what the folders say."""
    for band in ("g", "r"):
        (tmp_path / f"band={band}").mkdir()
        pq.write_table(pa.table({"n": [1]}), tmp_path / f"band={band}" / "a.parquet")
    columns = [{"name": "n", "type": "bigint"}]
    table = {"files": ["**/*.parquet"], "role": "regular", "declare": columns}
    alike = open_source(write_mapping(tmp_path, T=table)).tables["T"].slices
    assert len({piece.fingerprint() for piece in alike}) == 1
    columns.append({"name": "band", "type": "char(1)"})
    source = open_source(write_mapping(tmp_path, T=table))
    assert len({piece.fingerprint() for piece in source.tables["T"].slices}) == 2
    assert [row["band"] for batch in batches_of(source) for row in batch.batch.to_pylist()] == [b"g", b"r"]


def test_a_file_in_no_such_folder_has_no_value_of_it(tmp_path: Path) -> None:
    """It is refused by name, unless the column may be missing; a column of the file goes before its folder's."""
    (tmp_path / "extra=x").mkdir()
    write_parquet(tmp_path, "extra=x/a.parquet")
    write_parquet(tmp_path, "b.parquet", id=[11, 12, 13], extra=None)
    table = {**OBJECT, "files": ["**/*.parquet"], "declare": [*OBJECT["declare"], {"name": "extra", "type": "char(1)"}]}
    message = refused(write_mapping(tmp_path, Object=table), tmp_path / "staging")
    assert f"'{tmp_path}/b.parquet' has no column 'extra' for 'extra'" in message
    source = open_source(write_mapping(tmp_path, Object={**table, "allow_missing": ["extra"]})).tables["Object"]
    read = [source.reader.batches(piece, source.table, source.layout) for piece in source.slices]
    assert [row["extra"] for one in read for batch in one for row in batch.batch.to_pylist()] == [
        None, None, None, b"a", b"b", b"c",
    ]  # fmt: skip


def test_broken_parquet_file_is_named(tmp_path: Path) -> None:
    """A file that is cut off has no footer."""
    path = write_parquet(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    message = refused(write_mapping(tmp_path, Object=OBJECT), tmp_path / "staging")
    assert f"'{path}' is no whole Parquet file" in message


def twice(names: list[str]) -> pa.Table:
    """The rows with a last column more, whose values are the negative of the first's."""
    values = [ROWS["id"], ROWS["alpha"], ROWS["delta"], ROWS["raw"]]
    arrays = [pa.array(value) for value in values]
    return pa.Table.from_arrays([*arrays, pa.array([-1, -2, -3])], names=names)


PLAIN: dict[str, Any] = {
    "files": ["*.parquet"], "role": "director", "key": "id", "position": ["ra", "dec"],
    "declare": [
        {"name": "id", "type": "bigint"}, {"name": "ra", "type": "double"}, {"name": "dec", "type": "double"},
        {"name": "flux", "type": "double"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("last", ["id", "ra", "dec", "flux", "ID", "Ra", "DEC", "Flux"])
def test_column_that_stands_twice_is_refused(tmp_path: Path, last: str) -> None:
    """Keys, positions and values; names that differ in case only are one name to SQL."""
    pq.write_table(twice(["id", "ra", "dec", "flux", last]), tmp_path / "a.parquet")
    with pytest.raises(UserError) as caught:
        open_source(write_mapping(tmp_path, Object=PLAIN))
    assert "a.parquet" in str(caught.value)
    assert f"'{last}'" in str(caught.value)


def test_column_that_stands_twice_and_that_nobody_wants_is_left_out(tmp_path: Path) -> None:
    """It cannot be mistaken."""
    pq.write_table(twice(["id", "ra", "dec", "flux", "x"]).append_column("x", [[0, 0, 0]]), tmp_path / "a.parquet")
    batch = read(open_source(write_mapping(tmp_path, Object=PLAIN)))
    assert batch.batch.column("flux").to_pylist() == [1.5, -999.0, None]


@pytest.mark.parametrize(("rule", "wanted"), [({"from": "Flux"}, [-1, -2, -3]), ({"derive": "Flux + 1"}, [0, -1, -2])])
def test_mapping_says_which_of_two_spellings_is_meant(tmp_path: Path, rule: dict[str, str], wanted: list[int]) -> None:
    """A rule that spells the input column decides."""
    pq.write_table(twice(["id", "ra", "dec", "flux", "Flux"]), tmp_path / "a.parquet")
    batch = read(open_source(write_mapping(tmp_path, Object={**PLAIN, "columns": {"flux": rule}})))
    assert batch.batch.column("flux").to_pylist() == wanted


def test_synthetic_file_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    """A reader without rules looks, too."""
    source = open_source(write_mapping(tmp_path / "x", Object=PLAIN)) if write_plain(tmp_path / "x") else None
    assert source is not None
    pq.write_table(twice(["id", "ra", "dec", "flux", "flux"]), tmp_path / "a.parquet")
    entry, piece = source.tables["Object"], parquet_slices(tmp_path / "a.parquet")[0][0]
    with pytest.raises(UserError, match=r"a\.parquet' has column 'flux' twice"):
        list(ParquetReader().batches(piece, entry.table, entry.layout))


def write_plain(folder: Path) -> Path:
    folder.mkdir(parents=True)
    pq.write_table(twice(["id", "ra", "dec", "flux", "x"]), folder / "a.parquet")
    return folder


@pytest.mark.parametrize("name", ["visit[1]", "v*", "v?", "a{b,c}", "[!v]", "**", "[", "v]"])
def test_folder_of_a_mapping_is_no_pattern(tmp_path: Path, name: str) -> None:
    """A name that reads as a pattern is a name: neither nothing nor a neighbour is found."""
    for other in ("visit1", "vx", "ab", "x", "v"):
        pq.write_table(twice(["id", "ra", "dec", "flux", "x"]).slice(0, 1), write_plain(tmp_path / other) / "b.parquet")
    write_plain(tmp_path / name)
    source = open_source(write_mapping(tmp_path / name, Object=PLAIN))
    assert [piece.path for piece in source.tables["Object"].slices] == [str(tmp_path / name / "a.parquet")]


def test_input_folder_is_no_pattern_and_files_are(tmp_path: Path) -> None:
    """``input`` names a folder; in ``files`` only its own stars count."""
    write_plain(tmp_path / "in[1]")
    write_plain(tmp_path / "in1" / "deep")
    mapping = write_mapping(tmp_path, Object={**PLAIN, "files": ["*.parquet"]})
    mapping.write_text(mapping.read_text() + "input: 'in[1]'\n")
    assert [piece.name for piece in open_source(mapping).tables["Object"].slices] == ["a.parquet"]
    mapping = write_mapping(tmp_path, Object={**PLAIN, "files": ["in1/**/*.parquet"]})
    assert [piece.path for piece in open_source(mapping).tables["Object"].slices] == [
        str(tmp_path / "in1" / "deep" / "a.parquet")
    ]


def test_name_of_a_file_is_taken_before_its_pattern(tmp_path: Path) -> None:
    """``a[1].parquet`` is the file of that name; where it finds another one too, it has to say which."""
    write_plain(tmp_path / "x")
    (tmp_path / "x" / "a.parquet").rename(tmp_path / "x" / "a[1].parquet")
    mapping = write_mapping(tmp_path / "x", Object={**PLAIN, "files": ["a[1].parquet"]})
    assert [piece.name for piece in open_source(mapping).tables["Object"].slices] == ["a[1].parquet"]
    pq.write_table(twice(["id", "ra", "dec", "flux", "x"]), tmp_path / "x" / "a1.parquet")
    with pytest.raises(UserError, match="is a file, and a pattern that finds"):
        open_source(mapping)


@pytest.mark.parametrize(
    ("folder", "other", "pattern", "name", "remedy"),
    [
        ("v[1]", "v1", "v[1]/*.parquet", "v[1]", "v[[]1]/*.parquet"),
        ("v?/deep", "v1/deep", "v?/deep/a.parquet", "v?", "v[?]/deep/a.parquet"),
        ("all/v[1]", "all/v1", "all/v[1]/*.parquet", "all/v[1]", "all/v[[]1]/*.parquet"),
        ("all/v[1]", "all/v1", "*/v[1]/*.parquet", "*/v[1]", "*/v[[]1]/*.parquet"),
        ("a[1]/v[1]", "a1/v1", "a[1]/v[1]/**/*.parquet", "a[1]/v[1]", "a[[]1]/v[[]1]/**/*.parquet"),
    ],
)
def test_name_of_a_folder_is_taken_before_its_pattern(
    tmp_path: Path, folder: str, other: str, pattern: str, name: str, remedy: str
) -> None:
    """A folder alone is taken by its name; beside one that the pattern finds, it has to say which, and can."""
    write_plain(tmp_path / folder)
    mapping = write_mapping(tmp_path, Object={**PLAIN, "files": [pattern]})
    taken = [str(tmp_path / folder / "a.parquet")]
    assert [piece.path for piece in open_source(mapping).tables["Object"].slices] == taken
    write_plain(tmp_path / other)
    with pytest.raises(UserError) as refused:
        open_source(mapping)
    assert f"'{name}' is a folder, and a pattern that finds '{tmp_path / other / 'a.parquet'}'" in str(refused.value)
    assert refused.value.remedy == f"write '{remedy}' for the folder"
    mapping = write_mapping(tmp_path, Object={**PLAIN, "files": [remedy]})
    assert [piece.path for piece in open_source(mapping).tables["Object"].slices] == taken


def test_tables_that_nobody_asks_for_need_no_files(tmp_path: Path) -> None:
    """Neither their files nor their columns are looked at."""
    write_plain(tmp_path / "x")
    other = {"files": ["nowhere/*.parquet"], "role": "regular", "declare": [{"name": "a", "type": "int"}]}
    wrong = {**other, "files": ["*.parquet"]}
    mapping = write_mapping(tmp_path / "x", Object=PLAIN, Other=other, Wrong=wrong)
    with pytest.raises(UserError, match=r"table 'Other': no file"):
        open_source(mapping)
    with pytest.raises(UserError, match="has no column 'a'"):
        open_source(mapping, ["Object", "Wrong"])
    source = open_source(mapping, ["Object"])
    assert (list(source.tables), source.unopened) == (["Object"], frozenset({"Other", "Wrong"}))


def test_text_files_with_other_headers_are_refused(tmp_path: Path) -> None:
    """All files of a table have the same fields; none twice."""
    (tmp_path / "a.csv").write_text(",".join(ROWS) + "\n")
    (tmp_path / "b.csv").write_text(",".join(reversed(list(ROWS))) + "\n")
    path = write_mapping(tmp_path, Object={**OBJECT, "files": ["*.csv"]})
    assert "b.csv' has other columns than" in refused(path, tmp_path / "s1")
    (tmp_path / "b.csv").write_text("id,id\n")
    (tmp_path / "a.csv").unlink()
    assert "has column 'id' twice" in refused(path, tmp_path / "s2")


def test_invalid_utf8_is_named(tmp_path: Path) -> None:
    """Text that is no UTF-8 is refused with row and column, and taken where the mapping says latin1."""
    (tmp_path / "a.csv").write_bytes(b"id,x\n1,caf\xe9\n")
    table = {
        "files": ["a.csv"], "role": "regular",
        "declare": [{"name": "id", "type": "bigint"}, {"name": "x", "type": "char(8)"}],
    }  # fmt: skip
    message = refused(write_mapping(tmp_path, T=table), tmp_path / "s1")
    assert "a.csv', row 1, column 'x': 'caf\\xe9' is no UTF-8" in message
    path = write_mapping(tmp_path, T={**table, "text": {"charset": "latin1"}})
    assert sum(r.rows for r in partition_all(open_source(path), tmp_path / "s2")["T"]) == 1


@given(st.lists(st.tuples(*[st.one_of(st.none(), st.integers(-1000, 1000))] * 2), max_size=20))
def test_expressions_are_those_of_python_with_null(rows: list[tuple[int | None, int | None]]) -> None:
    """Each row is what Python makes of it; NULL anywhere is NULL; a division by zero is no number."""
    columns = {name: pa.array([row[i] for row in rows], pa.int16()) for i, name in enumerate("ab")}
    for text in ("a + b * 2", "-(a - 3) * b", "a / 4 - b", "7"):
        wanted = [
            None if names_in(text) and None in row else eval(text, {}, dict(zip("ab", row, strict=True)))
            for row in rows
        ]
        assert evaluate(text, columns, len(rows)).to_pylist() == wanted


PAIR: dict[str, Any] = {
    "files": ["*.csv"], "role": "regular",
    "declare": [{"name": "id", "type": "bigint"}, {"name": "flux", "type": "double"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "source", "text"),
    [
        (b'"id","flux, r"\n7,1.5\n', "flux, r", {}),
        (b'id,"say ""r"""\r\n7,1.5\r\n', 'say "r"', {}),
        (b'id,"two\nlines"\n7,1.5\n', "two\nlines", {}),
        (b'\xef\xbb\xbf"id","flux"\n7,1.5\n', "flux", {}),
        (b"\xef\xbb\xbfid,flux\n7,1.5\n", "flux", {"charset": "latin1"}),
        (b"id , flux\n7,1.5\n", "flux", {}),
        (b"id|flux\\|r\n7|1.5\n", "flux|r", {"separator": "|", "escape": "\\"}),
        (b"'id';'fl\xfc;x'\n7;1.5\n", "fl\xfc;x", {"separator": ";", "quote": "'", "charset": "latin1"}),
        ("id,flux r\n7,1.5\n".encode("utf-16"), "flux r", {}),
    ],
)
def test_header_is_read_as_rows_are(tmp_path: Path, content: bytes, source: str, text: dict[str, str]) -> None:
    """Quotes, escapes, line ends and byte-order marks of names."""
    (tmp_path / "a.csv").write_bytes(content)
    mapping = write_mapping(tmp_path, T={**PAIR, "columns": {"flux": {"from": source}}, "text": text})
    (batch,) = batches_of(open_source(mapping))
    assert batch.batch.to_pylist() == [{"id": 7, "flux": 1.5}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\nid,flux\n7,1.5\n", "has no header: its first line is empty"),
        (b"# made in May\nid,flux\n7,1.5\n", "has no header: its first line is a comment (# made in May)"),
        (b"id,flux\r7,1.5\r", "has no header: there is a CR in its first line"),
        ("id,flux\n7,1.5\n".encode("utf-16-le"), "has no header: there are zero bytes in its first line"),
        (b'id,"flux\n7,1.5\n', "header: a quote that is never closed"),
        (b'id,"flux"x\n7,1.5\n', "header: text behind a closing quote"),
        (b'id,flux,"flux"\n7,1.5,2\n', "has column 'flux' twice"),
    ],
)
def test_header_that_names_no_columns_says_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    """Not that a column is missing."""
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        open_source(write_mapping(tmp_path, T=PAIR))
    assert words in str(caught.value)
    assert "a.csv" in str(caught.value)


def test_line_ends_are_each_files_own(tmp_path: Path) -> None:
    """A file of CR LF beside one of LF, before and behind it, quoted or not."""
    table = {**PAIR, "declare": [{"name": "id", "type": "bigint"}, {"name": "s", "type": "char(4)"}]}
    (tmp_path / "a.csv").write_bytes(b'id,s\r\n1,a\r\n2,"b"\r\n')
    (tmp_path / "b.csv").write_bytes(b'id,s\n3,c\n4,"d"\n')
    (tmp_path / "c.csv").write_bytes(b'id,s\r\n5,e\r\n6,"f"\r\n')
    found = [row["s"] for batch in batches_of(open_source(write_mapping(tmp_path, T=table)))
             for row in batch.batch.to_pylist()]  # fmt: skip
    assert found == [b"a", b"b", b"c", b"d", b"e", b"f"]


@pytest.mark.parametrize(
    "text", [{"separator": "\n"}, {"separator": "§"}, {"quote": ","}, {"null_text": "λ", "charset": "latin1"}]
)
def test_mark_that_separates_nothing_is_refused(tmp_path: Path, text: dict[str, str]) -> None:
    """A mark is one byte, and not another mark's."""
    (tmp_path / "a.csv").write_bytes(b"id,flux\n7,1.5\n")
    with pytest.raises(UserError, match=r"mapping\.yaml"):
        open_source(write_mapping(tmp_path, T={**PAIR, "text": text}))


@pytest.mark.parametrize(
    ("kind", "sentinel", "given", "kept"),
    [
        ("int", -999, ["-999", "-999.0", "7"], 7),
        ("double", -999, ["-999", "-999.000", "-9.99e2", "7.5"], 7.5),
        ("float", -9.25, ["-9.25", "-9.250", "7.5"], 7.5),
        ("decimal(20,2)", -999, ["-999", "-999.00", "123456789012345678.25"], Decimal("123456789012345678.25")),
        ("decimal(4,2)", -9999.5, ["-9999.5", "-9999.50", "1.25"], Decimal("1.25")),
    ],
)
def test_number_that_means_null_is_one_however_it_is_written(
    tmp_path: Path, kind: str, sentinel: float, given: list[str], kept: object
) -> None:
    """As text, in columns of all kinds of numbers, without loss of digits of the others."""
    (tmp_path / "a.csv").write_text("id,flux\n" + "".join(f"{i},{text}\n" for i, text in enumerate(given)))
    declared = [{"name": "id", "type": "bigint"}, {"name": "flux", "type": kind}]
    mapping = write_mapping(tmp_path, T={**PAIR, "declare": declared, "columns": {"flux": {"null_at": [sentinel]}}})
    (batch,) = batches_of(open_source(mapping))
    assert batch.batch.column("flux").to_pylist() == [None] * (len(given) - 1) + [kept]
    assert batch.conversions == {f"flux: {sentinel} → NULL": len(given) - 1}


@pytest.mark.parametrize(
    ("kind", "rule", "given", "found"),
    [
        ("double", {"null_at": ["N/A", -999]}, ["N/A", "-999.0", "7.5"], [None, None, 7.5]),
        ("int", {"null_at": ["--", ""]}, ["--", "", "7.0"], [None, None, 7]),
        ("double", {"null_at": ["N/A"], "factor": 2}, ["N/A", " 3.5 "], [None, 7.0]),
        ("double", {"derive": "flux + 1", "null_at": ["\u2014"]}, ["\u2014", "3.5"], [None, 4.5]),
        ("decimal(20,2)", {"null_at": ["-"]}, ["-", "123456789012345678.25"], [None, Decimal("123456789012345678.25")]),
        ("bigint unsigned", {"null_at": [-1]}, ["-1", "18446744073709551615"], [None, 2**64 - 1]),
        ("bigint unsigned", {"null_at": ["none"]}, ["none", "9223372036854775809"], [None, 2**63 + 1]),
    ],
)
def test_word_that_means_null_stands_for_a_number(
    tmp_path: Path, kind: str, rule: dict[str, object], given: list[str], found: list[object]
) -> None:
    """What is no number may mean NULL in a column of numbers, and numbers keep all their digits beside it."""
    (tmp_path / "a.csv").write_text("id,flux\n" + "".join(f"{i},{text}\n" for i, text in enumerate(given)))
    declared = [{"name": "id", "type": "bigint"}, {"name": "flux", "type": kind}]
    mapping = write_mapping(tmp_path, T={**PAIR, "declare": declared, "columns": {"flux": rule}})
    (batch,) = batches_of(open_source(mapping))
    assert batch.batch.column("flux").to_pylist() == found


def test_other_words_are_no_numbers(tmp_path: Path) -> None:
    """Named with file, row and column."""
    (tmp_path / "a.csv").write_text("id,flux\n1,N/A\n2,none\n")
    mapping = write_mapping(tmp_path, T={**PAIR, "columns": {"flux": {"null_at": ["N/A"]}}})
    with pytest.raises(UserError, match=r"a\.csv', row 2, column 'flux': 'none' is no number"):
        batches_of(open_source(mapping))


def test_link_that_leads_nowhere_is_no_missing_file(tmp_path: Path) -> None:
    """A pattern that finds it is refused: its rows would be missing without a word."""
    (tmp_path / "a.csv").write_bytes(b"id,flux\n7,1.5\n")
    (tmp_path / "b.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(UserError, match=r"b\.csv' is no file, or a link to none"):
        open_source(write_mapping(tmp_path, T={**PAIR, "files": ["*.csv"]}))


def batches_of(source: Source) -> list[InputBatch]:
    table = source.tables["T"]
    return [batch for piece in table.slices for batch in table.reader.batches(piece, table.table, table.layout)]


# rows that are taken


WHERE = {**OBJECT, "where": "extra <> 'b' and (r >= 1 or r is null)"}


def test_rows_are_taken_by_a_condition_and_keep_their_numbers(tmp_path: Path) -> None:
    """Over columns that no rule takes; only the rows that are taken are converted, the others counted."""
    write_parquet(tmp_path)
    batch = read(open_source(write_mapping(tmp_path, Object=WHERE)))
    assert batch.batch["id"].to_pylist() == [1, 3]
    assert (batch.row_numbers().tolist(), dict(batch.left_out)) == ([1, 3], {"where": 1})
    assert batch.positions is not None
    assert batch.positions[0].tolist() == [10.0, 200.25]
    assert "flux: -999 → NULL" not in batch.conversions


@pytest.mark.parametrize("charset", ["utf8", "latin1"])
def test_text_takes_the_rows_that_parquet_takes(tmp_path: Path, charset: str) -> None:
    """Whether a rule takes the column that the condition reads or not, in any character set of the files."""
    extra: dict[str, Any] = {"extra": ["é", "b", "é"]}
    where = {"where": "extra = 'é' and flag is not false", "columns": {**OBJECT["columns"], "band": {"from": "extra"}}}
    write_parquet(tmp_path, **extra)
    wanted = read(open_source(write_mapping(tmp_path, Object={**OBJECT, **where})))
    rows = [["" if v is None else str(v) for v in row] for row in zip(*(ROWS | extra).values(), strict=True)]
    text = "\n".join(",".join(row) for row in [list(ROWS), *rows]) + "\n"
    (tmp_path / "a.csv").write_bytes(text.encode(charset))
    described = {**OBJECT, **where, "files": ["a.csv"], "text": {"null_text": "", "charset": charset}}
    found = read(open_source(write_mapping(tmp_path, Object=described)))
    assert found.batch.to_pydict() == wanted.batch.to_pydict()
    assert (found.row_numbers().tolist(), found.left_out) == ([1], wanted.left_out)


@pytest.mark.parametrize(
    ("kind", "where", "rows"),
    [
        ("float", "flux = 0.1", [1]),
        ("float", "flux <= 0.1", [1, 3]),
        ("decimal(5,1)", "flux >= 0.1", [1, 2]),
        ("decimal(5,1)", "flux = 0.06", [3]),
        ("double(9,1)", "flux < 0.1", [3]),
        ("double", "flux > 0.09", [1, 2]),
    ],
)
def test_conditions_see_a_number_before_its_column_rounds_it(
    tmp_path: Path, kind: str, where: str, rows: list[int]
) -> None:
    """In the ingest, and in the survey of a plan, which reads some columns only."""
    (tmp_path / "a.csv").write_text("id,flux\n1,0.1\n2,0.25\n3,0.06\n")
    declared = [{"name": "id", "type": "bigint"}, {"name": "flux", "type": kind}]
    source = open_source(write_mapping(tmp_path, T={**PAIR, "declare": declared, "where": where}))
    (batch,) = batches_of(source)
    assert batch.batch.column("id").to_pylist() == rows
    assert rows_of_keys(source) == rows


@pytest.mark.parametrize("kind", ["float", "double", "decimal(5,1)", "int"])
@pytest.mark.parametrize("rule", [{}, {"derive": "flux + 1"}], ids=str)
def test_what_is_no_number_is_null_to_a_condition(tmp_path: Path, kind: str, rule: dict[str, str]) -> None:
    """As it is in files of numbers; also to those who read keys alone, as the survey of first rows does."""
    (tmp_path / "a.csv").write_text("id,flux\n1,nan\n2,NULL\n3,-inf\n4,7\n5,\\N\n")
    declared = [{"name": "id", "type": "bigint"}, {"name": "flux", "type": kind}]
    table = {**PAIR, "declare": declared, "where": "flux is null", "columns": {"flux": rule}}
    source = open_source(write_mapping(tmp_path, T=table))
    (batch,) = batches_of(source)
    assert batch.batch.to_pydict() == {"id": [1, 2, 3, 5], "flux": [None] * 4}
    assert rows_of_keys(source) == [1, 2, 3, 5]


@pytest.mark.parametrize(("zeros", "rows"), [("", []), (".000000", []), (".5000", [1])])
def test_zeros_at_the_end_of_a_time_mean_nothing(tmp_path: Path, zeros: str, rows: list[int]) -> None:
    """Where a condition holds it against another text."""
    (tmp_path / "a.csv").write_text(f"id,flux\n1,2020-01-01 00:00:00{zeros}\n")
    declared = [{"name": "id", "type": "bigint"}, {"name": "flux", "type": "datetime"}]
    table = {**PAIR, "declare": declared, "where": "flux > '2020-01-01 00:00:00.0'"}
    (batch,) = batches_of(open_source(write_mapping(tmp_path, T=table)))
    assert batch.batch.column("id").to_pylist() == rows


def test_a_rule_that_does_not_fit_is_refused_even_if_no_row_is_taken(tmp_path: Path) -> None:
    """By file and column."""
    write_parquet(tmp_path)
    table = {**OBJECT, "where": "r > 99", "columns": {**OBJECT["columns"], "id": {"null_at": ["x"]}}}
    assert "a.parquet', row 1, column 'id': null_at value 'x'" in refused(
        write_mapping(tmp_path, Object=table), tmp_path / "s"
    )


def test_conditions_see_all_digits_of_a_second(tmp_path: Path) -> None:
    """Also those that the column drops."""
    (tmp_path / "a.csv").write_text("id,flux\n1,2020-01-01 00:00:00.7\n2,2020-01-01 00:00:00.2\n")
    declared = [{"name": "id", "type": "bigint"}, {"name": "flux", "type": "datetime"}]
    where = "flux > '2020-01-01 00:00:00.5'"
    (batch,) = batches_of(open_source(write_mapping(tmp_path, T={**PAIR, "declare": declared, "where": where})))
    assert batch.batch.column("flux").to_pylist() == [b"2020-01-01 00:00:00"]


def rows_of_keys(source: Source) -> list[int]:
    """The keys as those see them who read nothing else."""
    table = source.tables["T"]
    narrow = Table("T", (table.table.column("id"),))
    reader = table.reader.narrowed(table.table, frozenset({"id"}))
    read = [batch for piece in table.slices for batch in reader.batches(piece, narrow, table.layout)]
    return [key for batch in read for key in batch.batch.column("id").to_pylist()]


LONG = 2**53 + 1


@pytest.mark.parametrize(
    ("kind", "rule", "text", "found"),
    [
        ("double", {"from": "id"}, str(LONG), float(LONG)),
        ("float", {"from": "id", "factor": 0.5}, str(LONG), float(2**52)),
        ("double", {"derive": "id / 2"}, str(LONG), float(2**52)),
        ("bigint", {"derive": "id * 2"}, str(LONG), 2 * LONG),
        ("bigint unsigned", {"derive": "id + 1"}, str(LONG), LONG + 1),
        ("decimal(30,10)", {"derive": "id - 1"}, str(LONG), Decimal(LONG - 1)),
        ("decimal(25,3)", {"from": "id"}, str(LONG), Decimal(LONG)),
        ("varchar(20)", {"from": "id"}, f"0{LONG}", f"0{LONG}".encode()),
        ("bigint unsigned", {"from": "id", "null_at": [-1]}, str(LONG), LONG),
    ],
)
@pytest.mark.parametrize("where", ["", "id > 0"])
def test_a_column_of_text_that_several_rules_take_keeps_its_digits(
    tmp_path: Path, kind: str, rule: dict[str, object], text: str, found: object, where: str
) -> None:
    """Each rule, and a condition, reads the text for itself: a key beyond 2^53 is no DOUBLE because of another."""
    (tmp_path / "a.csv").write_text(f"id,flux\n{text},1\n")
    declared = [{"name": "id", "type": "bigint"}, {"name": "flux", "type": kind}]
    table = {**PAIR, "declare": declared, "columns": {"flux": rule}, "where": where}
    source = open_source(write_mapping(tmp_path, T=table))
    (batch,) = batches_of(source)
    assert batch.batch.to_pydict() == {"id": [LONG], "flux": [found]}
    assert rows_of_keys(source) == [LONG]


@pytest.mark.parametrize("kind", ["double", "bigint unsigned", "decimal(20)"])
def test_a_condition_knows_all_whole_numbers_of_64_bits(tmp_path: Path, kind: str) -> None:
    """Whatever column takes them."""
    (tmp_path / "a.csv").write_text(f"id,flux\n1,{2**63}\n2,{2**63 - 1}\n")
    declared = [{"name": "id", "type": "bigint"}, {"name": "flux", "type": kind}]
    table = {**PAIR, "declare": declared, "where": f"flux > {2**63 - 1}"}
    (batch,) = batches_of(open_source(write_mapping(tmp_path, T=table)))
    assert batch.batch.to_pydict() == {"id": [1], "flux": [2**63]}


def test_a_text_that_is_stored_as_bytes_too_is_a_text_all_the_same(tmp_path: Path) -> None:
    """In the character set of its column, beside the bytes of the file."""
    (tmp_path / "a.csv").write_bytes("id,flux\n1,é\n".encode())
    declared = [{"name": "id", "type": "varbinary(9)"}, {"name": "flux", "type": "varchar(9)"}]
    table = {**PAIR, "declare": declared, "columns": {"id": {"from": "flux"}}}
    (batch,) = batches_of(open_source(write_mapping(tmp_path, T=table)))
    assert batch.batch.to_pydict() == {"id": ["é".encode()], "flux": ["é".encode("latin1")]}


def test_a_position_that_is_stored_twice_is_placed_by_its_digits(tmp_path: Path) -> None:
    """A FLOAT copy of it does not matter, nor do words that mean no number, in rows that are skipped."""
    (tmp_path / "a.csv").write_text("id,ra,dec\n1,79.3,-0.1\n2, NaN,NULL\n")
    columns = [("id", "bigint"), ("ra", "double"), ("dec", "double"), ("shown", "float")]
    object_ = {
        "files": ["a.csv"], "role": "director", "key": "id", "position": ["ra", "dec"], "bad_positions": "skip",
        "declare": [{"name": name, "type": kind} for name, kind in columns], "columns": {"shown": {"from": "ra"}},
    }  # fmt: skip
    batch = read(open_source(write_mapping(tmp_path, Object=object_)))
    assert batch.positions is not None
    assert [degrees[0] for degrees in batch.positions] == [79.3, -0.1]
    assert np.isnan(batch.positions[0][1])
    assert np.isnan(batch.positions[1][1])
    assert batch.batch.column("ra").to_pylist() == [79.3, None]


def test_a_refused_value_is_named_by_its_row_in_the_file(tmp_path: Path) -> None:
    """Rows before it that are not taken count."""
    write_parquet(tmp_path, id=[1, 2, None])
    assert "a.parquet', row 3, column 'id'" in refused(write_mapping(tmp_path, Object=WHERE), tmp_path / "s")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("Extra = 'b'", "has no column 'Extra' for where 'Extra = 'b''; did you mean 'extra' or 'delta'?"),
        ("flux > 3", "has no column 'flux' for where 'flux > 3'"),
        ("extra +", "table 'Object': where 'extra +': invalid syntax"),
        (
            "abs(r) > 3",
            "table 'Object': where 'abs(r) > 3': a call is not arithmetic; use column names, numbers, 'texts', ",
        ),
        ("extra > 3", "a.parquet', row 1: where 'extra > 3': 'a' is no number; compare texts with texts"),
    ],
)
def test_a_wrong_condition_is_refused(tmp_path: Path, where: str, message: str) -> None:
    """By file and column, with names that are like it; before a row is read, unless its values are what is wrong."""
    write_parquet(tmp_path)
    assert message in refused(write_mapping(tmp_path, Object={**OBJECT, "where": where}), tmp_path / "s")
    if "row 1" not in message:
        (tmp_path / "a.csv").write_text(",".join(ROWS) + "\n")
        text = {**OBJECT, "where": where, "files": ["a.csv"]}
        assert message in refused(write_mapping(tmp_path, Object=text), tmp_path / "s")


@pytest.mark.parametrize("wrong", ["x1", "x of Parquet type int8", "1 of Parquet type decimal128(3, 2)"])
def test_a_wrong_value_of_a_text_that_several_rules_take_has_no_type(tmp_path: Path, wrong: str) -> None:
    """Text files have no Parquet types; a value that has these words itself keeps them."""
    (tmp_path / "a.csv").write_text(f"id;ra;dec;f\n1;2;3;4\n2;3;4;{wrong}\n")
    table = {
        "files": ["a.csv"], "format": "text", "text": {"separator": ";"}, "role": "director", "key": "id",
        "position": ["ra", "dec"], "columns": {"g": {"from": "f"}},
        "declare": [
            {"name": "id", "type": "bigint"}, {"name": "ra", "type": "double"}, {"name": "dec", "type": "double"},
            {"name": "f", "type": "float"}, {"name": "g", "type": "int"},
        ],
    }  # fmt: skip
    with pytest.raises(UserError, match=re.escape(f"row 2, column 'f': '{wrong}' does not fit float")):
        read(open_source(write_mapping(tmp_path, Object=table)))


def write_with_layout(folder: Path, table: dict[str, Any], **laid_out: dict[str, Any]) -> Path:
    """A mapping that names the layout file ``wide.yaml`` beside it, which says so of tables."""
    write_parquet(folder)
    layout = {"version": 1, "striping": {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}, "tables": laid_out}
    (folder / "wide.yaml").write_text(yaml.safe_dump(layout, sort_keys=False))
    path = write_mapping(folder, Object=table)
    content = yaml.safe_load(path.read_text())
    del content["striping"]
    path.write_text(yaml.safe_dump({**content, "layout": "./wide.yaml"}))
    return path


@pytest.mark.parametrize(
    ("name", "said", "mapped", "words"),
    [
        ("Objects", {}, {}, r"wide.yaml', line 7, key 'tables.Objects': mapping '.*' has no such table.*'Object'"),
        ("Object", {"key": "ident"}, {}, "no column 'ident'"),
        ("Object", {"indexes": [["fluks"]]}, {}, "no column 'fluks'"),
        ("Object", {}, {"duplicates": "keep-first"}, "line 7, key 'tables.Object': it leaves out 'duplicates'"),
    ],
)
def test_a_layout_file_that_does_not_fit_its_mapping_is_refused(
    tmp_path: Path, name: str, said: dict[str, Any], mapped: dict[str, Any], words: str
) -> None:
    """A table or column that the mapping has not; a policy of the mapping that the file would take away unsaid."""
    role = {"role": "director", "key": "id", "position": ["ra", "dec"]}
    path = write_with_layout(tmp_path, {**OBJECT, **mapped}, **{name: {**role, **said}})
    with pytest.raises(UserError, match=words):
        open_source(path)


def test_a_layout_file_decides_what_its_tables_are(tmp_path: Path) -> None:
    """Its key is the director's, and NOT NULL, whatever key the mapping names."""
    role = {"role": "director", "key": "flux", "position": ["ra", "dec"], "duplicates": "keep-first"}
    source = open_source(write_with_layout(tmp_path, {**OBJECT, "duplicates": "keep-all"}, Object=role))
    made = source.tables["Object"]
    assert (made.layout.key, made.layout.duplicates) == ("flux", "keep-first")
    assert not made.table.column("flux").is_nullable
    assert made.layout == source.layout.tables["Object"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"schema_table": "ForcedSource"}, "it is to be 'ForcedSource' of a schema, and the mapping names none"),
        ({"allow_missing": ["fluks"]}, "no column 'fluks'"),
    ],
)
def test_keys_that_would_do_nothing_are_refused(tmp_path: Path, said: dict[str, Any], words: str) -> None:
    """A table of no schema, a column that no table has: whoever wrote them meant something."""
    write_parquet(tmp_path)
    assert words in refused(write_mapping(tmp_path, Object={**OBJECT, **said}), tmp_path)
