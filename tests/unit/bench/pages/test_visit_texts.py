"""Numbers of visits as rows of tables: what is not known is a dash, what fell has a minus sign."""

from __future__ import annotations

import math
from typing import Any

import pytest

from skyshard.bench.model.published_visits import PublishedPoint, PublishedVisits
from skyshard.bench.pages.visit_texts import (
    beside_rows,
    line_rows,
    published_rows,
    ratio_text,
    scale_of,
    series_rows,
    signed,
    signed_percent,
)
from skyshard.bench.record.beside_actions import BesideEffect
from skyshard.bench.record.visit_summary import FittedLine, PhaseNumbers, RatioInterval, SeriesNumbers, VisitFacts

MINUS = "\N{MINUS SIGN}"


def line(first: int, last: int, at_first: float, slope: float) -> FittedLine:
    """A line whose slope is seconds for a thousand visits."""
    return FittedLine(
        visits=last - first + 1, blocks=8, slope=slope, low=slope - 0.1, high=slope + 0.1, p=0.0285714,
        first_visit=first, last_visit=last, at_first=at_first, at_last=at_first + slope / 1e3 * (last - first),
        shared=0.0,
    )  # fmt: skip


def series(table: str, kind: str, **given: Any) -> SeriesNumbers:
    """Ten visits of one kind of work, a second each in the median."""
    values: dict[str, Any] = {
        "visits": 10, "quantiles_s": [0.5, 0.75, 1.0, 1.25, 1.5], "mean_s": 1.0, "max_s": 2.0, "level_s": None,
        "rows": 1000, "bytes": 10240, "server_s": 3.0, "client_s": 1.0, "before": None, "after": None,
        "plateau": None, "change_a_year": None, "rows_after": None,
    }  # fmt: skip
    return SeriesNumbers(table=table, kind=kind, **(values | given))


def phase(*of: SeriesNumbers, fields: int = 2) -> PhaseNumbers:
    return PhaseNumbers(
        phase="p0", facts=VisitFacts(window_visits=500, visits_per_month=50, fields=fields), visits=10, lost=0, tries=0,
        compared=0, wrong=0, driver_share=0.0, server_share=0.5, span_s=10.0, above=[], series=list(of),
    )  # fmt: skip


def published(*points: PublishedPoint, sources: int = 50, fields: int = 1) -> PublishedVisits:
    run = {"backend": "Cassandra", "hardware": "3 hosts", "setup": "replicas", "clients": 189, "source": "a document"}
    rows = [{"visits": visits, "objects": visits, "sources": visits, "forced": visits} for visits in (100, 200)]
    return PublishedVisits.model_validate(
        {
            "version": 1, "name": "made", "sources_a_visit": sources, "fields": fields, "window_visits": 500,
            "visits_source": "a document", "rows_source": "a document", "rows_a_detector": rows,
            "results": [run | {"points": [point.model_dump() for point in points]}],
        }
    )  # fmt: skip


def test_a_row_has_means_a_visit_and_the_servers_share() -> None:
    """1,000 rows and 10 KiB over ten visits; three of four seconds are the servers'; no history was full."""
    (row,) = series_rows(phase(series("DiaSource", "insert")))
    assert row == [
        "DiaSource insert", "10", "500 ms", "750 ms", "1 s", "1.25 s", "1.5 s", "2 s", "–", "100", "1 KiB", "75 %"
    ]  # fmt: skip


def test_work_that_took_no_time_has_no_share() -> None:
    """Nothing is divided by zero."""
    (row,) = series_rows(phase(series("", "commit", server_s=0.0, client_s=0.0)))
    assert row[-1] == "–"


def test_lines_are_of_tables_and_commits_or_of_all_together() -> None:
    """Each line is in one of the two tables; the ratio stands beside the line after the window alone."""
    both = {"before": line(0, 499, 1.0, 2.0), "after": line(500, 900, 2.0, -0.5)}
    ratio = RatioInterval(value=-0.25, low=-0.5, high=0.125)
    numbers = phase(
        series("", "visit", **both, plateau=ratio, change_a_year=ratio),
        series("", "commit", before=both["before"]),
        series("DiaSource", "insert", after=both["after"]),
    )
    together, by_table = line_rows(numbers, by_table=False), line_rows(numbers, by_table=True)
    assert [row[:2] for row in together] == [["visit", "fills"], ["visit", "full"]]
    assert [row[:2] for row in by_table] == [["commit", "fills"], ["DiaSource insert", "full"]]
    assert together[0][2:] == ["1 s", "2 s", "2 s", "1.9 s to 2.1 s", "0.029", "–", "–"]
    assert together[1][4:] == [
        f"{MINUS}500 ms", f"{MINUS}600 ms to {MINUS}400 ms", "0.029", f"{MINUS}0.25 ({MINUS}0.50 to 0.12)",
        f"{MINUS}25.0 % ({MINUS}50.0 % to +12.5 %)",
    ]  # fmt: skip


def test_a_line_that_falls_below_zero_says_no_negative_time() -> None:
    """A visit cannot take less than nothing, whatever a line says of its ends."""
    (row,) = line_rows(phase(series("", "visit", before=line(0, 1000, -0.5, 0.25))), by_table=False)
    assert row[2:4] == ["0 µs", "0 µs"]


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(None, "–"), (RatioInterval(value=1.5, low=None, high=2.0), "1.50"),
     (RatioInterval(value=0.5, low=0.25, high=1.0), "0.50 (0.25 to 1.00)")],
)  # fmt: skip
def test_a_ratio_without_two_ends_stands_alone(ratio: RatioInterval | None, text: str) -> None:
    """An interval of which one end is not known is none."""
    assert ratio_text(ratio) == text


def test_what_falls_has_a_minus_sign() -> None:
    """The sign of typography, not the hyphen; zero has none."""
    assert (signed(-0.25), signed(0.25), signed(0.0)) == (f"{MINUS}250 ms", "250 ms", "0 s")
    assert (signed_percent(-0.5), signed_percent(0.5), signed_percent(None)) == (f"{MINUS}50.0 %", "+50.0 %", "–")


def test_what_ran_beside_says_how_much_longer_visits_took() -> None:
    """A ratio needs visits beside it and around it."""
    known = BesideEffect(name="scan", actions=2, failed=1, rows=30, mean_s=0.5, during=4, during_s=3.0, around_s=2.0)
    lone = known.model_copy(update={"around_s": None})
    assert beside_rows([known, lone]) == [
        ["scan", "2", "1", "500 ms", "30", "4", "3 s", "2 s", "1.50"],
        ["scan", "2", "1", "500 ms", "30", "4", "3 s", "–", "–"],
    ]


def test_published_times_are_scaled_by_the_sources_of_a_visit() -> None:
    """Ours have 100 sources where theirs had 50: their times count twice."""
    numbers = phase(series("", "visit"), series("DiaSource", "insert"))
    one = published(PublishedPoint(visits=100, visit_s=2.0, store_s=0.5, origin="read"))
    assert scale_of(one, numbers) == 2.0
    assert published_rows(one, [numbers]) == [
        ["Cassandra", "3 hosts", "replicas", "189", "100", "2 s", "–", "500 ms", "4 s", "–", "1 s", "–", "–", "–"]
    ]


def test_without_stored_sources_nothing_is_scaled_and_without_visits_nothing_shown() -> None:
    """A trial that only read has no sources of its own."""
    one = published(PublishedPoint(visits=100, visit_s=2.0, origin="read"))
    (row,) = published_rows(one, [phase(series("", "visit"))])
    assert row[8:11] == ["–", "–", "–"]
    assert scale_of(one, phase(series("DiaSource", "insert", rows=0))) is None
    assert published_rows(one, [phase(series("", "select"))]) == []


@pytest.mark.parametrize(
    ("visits", "ours"),
    [(100, "1.2 s"), (250, "1.5 s"), (300, "2.5 s"), (450, "2.2 s"), (451, "–")],
    ids=["fills", "the last that fills", "full", "the last", "ours did not come so far"],
)
def test_ours_is_taken_at_as_many_visits_a_field(visits: int, ours: str) -> None:
    """We go over two fields, they over one: their visit n is our visit 2n, on the line that holds it."""
    fills, full = line(0, 500, 1.0, 1.0), line(501, 900, 2.6, -1.0)
    numbers = phase(series("", "visit", before=fills, after=full))
    (row,) = published_rows(published(PublishedPoint(visits=visits, visit_s=2.0, origin="read")), [numbers])
    assert row[11] == ours
    assert math.isclose(fills.at_last, 1.5)
