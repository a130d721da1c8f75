"""Arrow's dates and times as the texts that the server prints: Python's own calendar says what is right."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from skyshard.catalog.schema import Column
from skyshard.ingest.values.arrow_times import date_texts, time_texts, timestamp_texts
from skyshard.ingest.values.text_values import RowError
from skyshard.rowimage.sqltype import parse_type

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = [
    datetime(1, 1, 1, tzinfo=UTC), datetime(1582, 10, 10, 3, tzinfo=UTC), EPOCH - timedelta(microseconds=1), EPOCH,
    datetime(2000, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 120_000, tzinfo=UTC),
]  # fmt: skip


def column(kind: str) -> Column:
    return Column("c", parse_type(kind))


@pytest.mark.parametrize("digits", [0, 1, 3, 6])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_times_of_day_keep_the_digits_of_the_column(digits: int, zone: str | None) -> None:
    """Cut, not rounded, also before 1970; each value that loses digits is counted; NULL stays."""
    ticks = [(one - EPOCH) // timedelta(microseconds=1) for one in TIMES]
    values = pa.array([*ticks, None], pa.timestamp("us", zone))
    counts: Counter[str] = Counter()
    kind = f"datetime({digits})" if digits else "datetime"
    found = timestamp_texts(values, column(kind), counts).to_pylist()
    whole = [f"{one:%H:%M:%S}.{one.microsecond:06}"[: 8 + digits + bool(digits)] for one in TIMES]
    assert found == [*(f"{one.year:04}-{one:%m-%d} {text}" for one, text in zip(TIMES, whole, strict=True)), None]
    lost = sum(one.microsecond % 10 ** (6 - digits) != 0 for one in TIMES)
    assert counts == ({f"c: digits past {digits} of the second dropped": lost} if lost else {})


def test_a_text_column_has_all_digits() -> None:
    """Nothing is cut of what a VARCHAR takes."""
    counts: Counter[str] = Counter()
    values = pa.array([1], pa.timestamp("ns"))
    assert timestamp_texts(values, column("varchar(40)"), counts).to_pylist() == ["1970-01-01 00:00:00.000000001"]
    assert time_texts(pa.array([1], pa.time64("us")), column("varchar(40)"), counts).to_pylist() == ["00:00:00.000001"]
    assert not counts


def test_a_date_takes_the_day_and_counts_times_of_day() -> None:
    """A second before 1970 is in 1969."""
    counts: Counter[str] = Counter()
    values = pa.array([-1, 0, None, 86_399, 86_400], pa.timestamp("s"))
    found = timestamp_texts(values, column("date"), counts).to_pylist()
    assert found == ["1969-12-31", "1970-01-01", None, "1970-01-01", "1970-01-02"]
    assert counts == {"c: time of day dropped": 2}


FIRST = (date(1, 1, 1) - date(1970, 1, 1)).days - 366
LAST = (date(9999, 12, 31) - date(1970, 1, 1)).days


def test_dates_end_at_the_years_0_and_9999() -> None:
    """Days as 32 and 64 bits; the year 0 is a leap year; a day more or less is refused, with its row."""
    good, texts = [FIRST, None, LAST, 11_016], ["0000-01-01", None, "9999-12-31", "2000-02-29"]
    assert date_texts(pa.array(good, pa.date32()), column("date"), Counter()).to_pylist() == texts
    wide = [None if day is None else day * 86_400_000 for day in good]
    assert date_texts(pa.array(wide, pa.int64()).cast(pa.date64()), column("date"), Counter()).to_pylist() == texts
    bad: list[Any] = [pa.array([0, None, day], pa.date32()) for day in (FIRST - 1, LAST + 1)]
    for values in bad:
        with pytest.raises(RowError, match="outside the years 0 to 9999") as caught:
            date_texts(values, column("date"), Counter())
        assert caught.value.row == 2
    for day in (FIRST - 1, LAST + 1):
        with pytest.raises(RowError, match="outside the years 0 to 9999"):
            timestamp_texts(pa.array([day * 86_400], pa.timestamp("s")), column("datetime"), Counter())


def test_nothing_is_converted_of_no_rows() -> None:
    """Empty and all NULL."""
    counts: Counter[str] = Counter()
    for values in (pa.array([], pa.timestamp("ms")), pa.array([None, None], pa.timestamp("ms"))):
        assert timestamp_texts(values, column("datetime"), counts).to_pylist() == values.to_pylist()
    assert time_texts(pa.array([None], pa.time32("s")), column("time"), counts).to_pylist() == [None]
    assert date_texts(pa.array([None], pa.date32()), column("date"), counts).to_pylist() == [None]
    assert not counts


def test_times_of_day_are_cut_to_their_column() -> None:
    """The last instant of a day stays in it."""
    counts: Counter[str] = Counter()
    values = pa.array([0, None, 86_399_999_999], pa.time64("us"))
    assert time_texts(values, column("time(2)"), counts).to_pylist() == ["00:00:00.00", None, "23:59:59.99"]
    assert counts == {"c: digits past 2 of the second dropped": 1}
