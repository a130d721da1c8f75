"""Dates and times: text ↔ the integers that records store, against the layouts that MariaDB's sources describe."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import UserError
from skyshard.rowimage.arrays import Origin
from skyshard.rowimage.temporal import TemporalCodec

UTC = dt.UTC
MOMENTS = st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999))
STAMPS = st.datetimes(dt.datetime(1970, 1, 1, 0, 0, 1), dt.datetime(2038, 1, 19, 3, 14, 7))
SPANS = st.integers(-(838 * 3600 + 59 * 60 + 59), 838 * 3600 + 59 * 60 + 59)


def cells_of(codec: TemporalCodec, *texts: str | None) -> list[bytes]:
    array = pa.array([None if text is None else text.encode() for text in texts], pa.binary())
    return [bytes(row) for row in codec.encode(array, Origin("at", codec.base))]


def texts_of(codec: TemporalCodec, cells: list[bytes]) -> list[str]:
    table = np.frombuffer(b"".join(cells), np.uint8).reshape(len(cells), codec.width)
    return [one.decode() for one in codec.decode(table, None).to_pylist()]


def span_text(seconds: int, fraction: str = "") -> str:
    hours, rest = divmod(abs(seconds), 3600)
    return f"{'-' if seconds < 0 else ''}{hours:02d}:{rest // 60:02d}:{rest % 60:02d}{fraction}"


@given(MOMENTS, st.integers(0, 6))
def test_a_datetime_is_packed_as_the_server_packs_it(moment: dt.datetime, digits: int) -> None:
    """13 months a year, 5 bits of days, 17 of the clock, then the fraction; digits that the type lacks are cut off."""
    codec = TemporalCodec("datetime", digits)
    days = ((moment.year * 13 + moment.month) << 5) | moment.day
    whole = (days << 17) | (moment.hour << 12) | (moment.minute << 6) | moment.second
    kept = moment.microsecond // 10 ** (6 - digits)
    fraction = kept * (10 if digits % 2 else 1)
    wanted = (whole + 0x8000000000).to_bytes(5, "big") + fraction.to_bytes(codec.fraction_bytes, "big")
    text = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond:06d}"
    text = text.rjust(26, "0")
    assert cells_of(codec, text) == [wanted]
    assert texts_of(codec, [wanted]) == [text[: 19 + (digits + 1 if digits else 0)]]


@given(STAMPS)
def test_a_timestamp_is_the_seconds_since_1970(moment: dt.datetime) -> None:
    """In UTC, most significant byte first."""
    codec = TemporalCodec("timestamp")
    wanted = int(moment.replace(tzinfo=UTC, microsecond=0).timestamp()).to_bytes(4, "big")
    text = f"{moment:%Y-%m-%d %H:%M:%S}"
    assert cells_of(codec, text) == [wanted]
    assert texts_of(codec, [wanted]) == [text]


@given(SPANS, st.integers(0, 999))
def test_a_time_is_read_back_as_it_was_written(seconds: int, millis: int) -> None:
    """Of both signs, with up to three digits of hours."""
    codec = TemporalCodec("time", 3)
    text = span_text(seconds, f".{millis:03d}")
    assert texts_of(codec, cells_of(codec, text)) == [text]


def test_the_last_times_are_those_of_the_server() -> None:
    """The last second has its fraction: the bytes are those that MariaDB 10.11 wrote."""
    texts, wanted = ["838:59:59.999999", "-838:59:59.999999"], ["b46efb0f423f", "4b9104f0bdc1"]
    assert [cell.hex() for cell in cells_of(TemporalCodec("time", 6), *texts)] == wanted
    assert texts_of(TemporalCodec("time", 6), list(map(bytes.fromhex, wanted))) == texts


@given(st.lists(SPANS, min_size=2, max_size=9))
def test_the_order_of_bytes_is_the_order_of_times(spans: list[int]) -> None:
    """So that keys of records are compared without reading them."""
    cells = cells_of(TemporalCodec("time"), *map(span_text, spans))
    assert [one for _, one in sorted(zip(spans, cells, strict=True))] == sorted(cells)


@given(st.dates(dt.date(1000, 1, 1)))
def test_a_date_is_packed_least_byte_first(day: dt.date) -> None:
    """9 bits up to the year, 5 up to the month."""
    codec = TemporalCodec("date")
    wanted = ((day.year << 9) | (day.month << 5) | day.day).to_bytes(3, "little")
    assert cells_of(codec, day.isoformat()) == [wanted]
    assert texts_of(codec, [wanted]) == [day.isoformat()]


def test_zero_values_and_nulls_are_values() -> None:
    """NULL has the zero value in its place; a day alone is midnight."""
    for base, zero in (("date", "0000-00-00"), ("datetime", "0000-00-00 00:00:00"), ("year", "0000")):
        codec = TemporalCodec(base)
        first, second = cells_of(codec, zero, None)
        assert first == second
        assert texts_of(codec, [first]) == [zero]
    codec = TemporalCodec("timestamp", 2)
    assert texts_of(codec, cells_of(codec, "0000-00-00 00:00:00.00")) == ["0000-00-00 00:00:00.00"]
    codec = TemporalCodec("datetime")
    assert (
        cells_of(codec, "2012-03-06") == cells_of(codec, "2012-03-06 00:00:00") == cells_of(codec, "2012-03-06T00:00")
    )


@pytest.mark.parametrize(
    ("base", "text"),
    [
        ("date", "2011-02-29"), ("date", "2012-13-01"), ("date", "2012/03/06"), ("date", "2012-3-6"), ("date", ""),
        ("date", "2012-03-06 "), ("datetime", "2012-03-06 24:00:00"), ("datetime", "2012-03-06 05:60:00"),
        ("datetime", "2012-03-06 05:02:47."), ("datetime", "2012-03-06 05:02:4x"), ("datetime", "x" * 50),
        ("timestamp", "1969-12-31 23:59:59"), ("timestamp", "2038-01-19 03:14:08"),
        ("timestamp", "2012-00-06 00:00:00"),
        ("time", "839:00:00"), ("time", "-839:00:00.000000"), ("time", "1234:00:00"), ("time", "12:00:61"),
        ("time", "-"), ("year", "1900"), ("year", "2156"), ("year", "99"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused_with_its_row(base: str, text: str) -> None:
    """Nothing is clipped or set to zero, as a server may do."""
    good = {"date": "2012-03-06", "year": "2012", "time": "12:00:00"}.get(base, "2012-03-06 00:00:00")
    with pytest.raises(UserError) as caught:
        cells_of(TemporalCodec(base, 6 if base == "time" else 0), good, text)
    assert "write" in str(caught.value)
