"""Formats of answers, read back."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile

from skyshard.basics.errors import UserError
from skyshard.serve.tap.result_formats import FORMATS, Writer, format_of
from skyshard.serve.votable.document import Status
from skyshard.serve.votable.fields import field_of, with_distinct_names


def written(writer: Writer, *batches: pa.RecordBatch) -> bytes:
    return b"".join([writer.begin("SELECT 1 < 2"), *map(writer.rows, batches), writer.end(Status.OK)])


def read(document: bytes) -> VOTableFile:
    return parse(io.BytesIO(document), verify="exception")


def test_texts_and_parquet_hold_the_same_rows() -> None:
    """NULL is an empty cell; names that repeat are told apart in Parquet; its metadata describe the columns."""
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1, None]), pa.array(['a,"b"', "x\ty"]), pa.array([b"\x01", None], pa.binary())], ["n", "s", "n"]
    )
    named = zip(batch.schema.names, batch.columns, strict=True)
    fields = with_distinct_names(field_of(name, one.type) for name, one in named)
    made = {one.aliases[0]: written(one.make(fields, batch.schema), batch, batch) for one in FORMATS[2:]}
    assert made["csv"].decode().splitlines()[:3] == ["n,s,n_2", '1,"a,""b""","01"', ',"x\ty",']
    assert made["tsv"].decode().splitlines()[:3] == ["n\ts\tn_2", '1\ta,"b"\t01', "\tx y\t"]
    table = pq.read_table(io.BytesIO(made["parquet"]))
    assert (table.num_rows, table.column_names) == (4, ["n", "s", "n_2"])
    described = read((table.schema.metadata or {})[b"IVOA.VOTable-Parquet.content"]).get_first_table()
    assert [one.name for one in described.fields] == ["n", "s", "n_2"]


def test_formats_go_by_many_names() -> None:
    """And an unknown one is refused with those that there are."""
    names = ("votable", "text/csv", "CSV", "application/x-votable+xml ; serialization=tabledata", "parquet")
    assert [format_of(name).aliases[0] for name in names] == ["votable/b2", "csv", "csv", "votable/td", "parquet"]
    mimes = ("text/xml", "application/xml", "application/x-votable+xml", "text/csv")
    assert [format_of(name).mime.partition(";")[0] for name in mimes] == list(mimes)  # what was asked for is said
    with pytest.raises(UserError, match="votable/b2, votable/td, csv, tsv, parquet"):
        format_of("fits")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ('application/x-votable+xml; serialization="TABLEDATA"', "votable/td"), ("text/csv; charset=UTF-8", "csv"),
        ("text/csv;header=present;charset=utf-8", "csv"), ("text/tab-separated-values; header=present", "tsv"),
        ("*/*", "votable/b2"), ("text/xml;charset=utf-8", "votable/td"),
    ],
)  # fmt: skip
def test_parameters_of_mime_types_are_read(asked: str, given: str) -> None:
    """In quotes, too; those that say what is so anyway are passed over, others refused."""
    assert format_of(asked).aliases[0] == given
    for wrong in ("text/csv;header=absent", "text/csv;charset=utf-16", "text/csv;header=present;x=1"):
        with pytest.raises(UserError, match="there is no format"):
            format_of(wrong)
