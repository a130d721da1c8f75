"""The other files of a trial folder: histograms, telemetry, plans, versions; and thresholds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.bench_trials import made_trial, made_workload

from skyshard.bench.clock import WallClock
from skyshard.bench.pages.load_figures import UnderLoad, in_flight, latency_under_load
from skyshard.bench.pages.report import write_pages
from skyshard.bench.record.chunk_map import SkyMap, chunk_of
from skyshard.bench.record.histograms import DIGITS, HISTOGRAMS, histogram_of, read_histograms, write_histograms
from skyshard.bench.record.latency_stats import check_thresholds, summarise
from skyshard.bench.record.telemetry import DRIVER, TELEMETRY_SCHEMA, Reading, TelemetryRecorder, process_reading, rates
from skyshard.bench.record.trial_folder import read_trial, validate_trial
from skyshard.bench.record.write_trial import write_trial
from skyshard.bench.target import NullTarget
from skyshard.bench.trial.ask_again import explain_slowest
from skyshard.errors import UserError

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    trial = made_trial(1)
    write_trial(tmp_path, trial)
    write_pages(trial, tmp_path)
    return tmp_path


def test_histograms_agree_with_the_samples(folder: Path) -> None:
    """One histogram for each class and kind; percentiles agree to three digits with those of the samples."""
    found = read_histograms(folder / HISTOGRAMS)
    assert set(found) == {f"one/{c}/{k}" for c in ("LV", "FTSObj") for k in ("latency", "service")}
    latency = read_trial(folder).samples.filter(pa.compute.field("class") == "LV")["latency_s"].to_numpy()
    histogram = found["one/LV/latency"]
    assert histogram.get_total_count() == len(latency) == 60
    exact = np.percentile(latency, 90, method="inverted_cdf") * 1e6
    assert histogram.get_value_at_percentile(90) == pytest.approx(exact, rel=10**-DIGITS * 2)


def test_histograms_of_one_tag_add_up(folder: Path, tmp_path: Path) -> None:
    """Two logs one after the other are one log of twice the counts."""
    twice = tmp_path / "twice.hlog"
    text = (folder / HISTOGRAMS).read_text()
    twice.write_text(text + text)
    assert read_histograms(twice)["one/LV/latency"].get_total_count() == 120


def test_times_beyond_the_range_count_at_its_ends() -> None:
    """A nanosecond and a week are recorded, not dropped."""
    assert histogram_of(np.array([1e-9, 7 * 86_400.0])).get_total_count() == 2


def test_an_empty_trial_has_an_empty_log(tmp_path: Path) -> None:
    """No answered query is no histogram, not an error."""
    empty = made_trial(1).samples.slice(0, 0)
    write_histograms(empty, tmp_path / HISTOGRAMS)
    assert read_histograms(tmp_path / HISTOGRAMS) == {}


def shorten(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(0, 5), path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / HISTOGRAMS).write_text("Tag=x,0,0,0,nonsense\n"), "histograms.hlog"),
        (
            lambda f: pq.write_table(pq.read_table(f / "samples.parquet").slice(0, 5), f / "samples.parquet"),
            "5 samples",
        ),
        (lambda f: pq.write_table(pa.table({"a": [1]}), f / "samples.parquet"), "column 'phase'"),
        (lambda f: pq.write_table(pa.table({"t_s": [1]}), f / "telemetry.parquet"), "telemetry.parquet"),
        (lambda f: (f / "plans.json").write_text("{}"), "plans.json"),
        (lambda f: (f / "summary.json").unlink(), "summary.json"),
    ],
)
def test_a_harmed_folder_is_refused_in_one_line(folder: Path, damage: Callable[[Path], object], words: str) -> None:
    """File and column or key are named."""
    damage(folder)
    with pytest.raises(UserError) as caught:
        validate_trial(folder)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_samples_of_another_version_are_refused(folder: Path) -> None:
    """A later release's samples are not misread."""
    table = pq.read_table(folder / "samples.parquet")
    pq.write_table(table.replace_schema_metadata({b"skyshard.samples.version": b"99"}), folder / "samples.parquet")
    with pytest.raises(UserError, match="version 99"):
        read_trial(folder)


class Two:
    """Two servers whose counters grow by 3 a reading; the second tells no disk."""

    def __init__(self) -> None:
        self.asked = 0

    def read(self) -> list[Reading]:
        self.asked += 1
        return [Reading("node1", 0.1 * self.asked, 100, 3 * self.asked), Reading("node2", 0.2 * self.asked)]

    def close(self) -> None:
        pass


def test_telemetry_is_read_every_period_and_rates_are_differences() -> None:
    """At least start and end are read, for both servers and the driver; what is not told is no rate."""
    with TelemetryRecorder(Two(), WallClock(), period_s=0.02) as recorder:
        psutil.Process().cpu_times()
    table = recorder.table
    assert table.schema.equals(TELEMETRY_SCHEMA)
    assert set(table["node"].to_pylist()) == {"node1", "node2", DRIVER}
    moments, found = rates(table, "node1", "read_bytes")
    assert len(moments) >= 1
    assert (found > 0).all()
    assert len(rates(table, "node2", "read_bytes")[0]) == 0


def test_a_probe_that_fails_leaves_a_gap() -> None:
    """A server that is gone does not end a trial."""

    class Gone(Two):
        def read(self) -> list[Reading]:
            raise ConnectionError("gone")

    with TelemetryRecorder(Gone(), WallClock(), period_s=0.01) as recorder:
        pass
    assert recorder.table.num_rows == 0


def test_a_process_reading_tells_memory() -> None:
    """Of this very process processor time and memory are known."""
    reading = process_reading("me", psutil.Process())
    assert (reading.memory_bytes or 0) > 1_000_000
    assert (reading.cpu_s or 0) > 0


def test_queries_in_flight_are_counted() -> None:
    """Three that overlap, then one alone."""
    sent, last = np.array([0.0, 1.0, 2.0, 9.0]), np.array([5.0, 5.0, 5.0, 10.0])
    assert in_flight(sent, last).tolist() == [1, 2, 3, 1]


def test_load_that_no_three_samples_met_is_not_drawn() -> None:
    """One sample at each of five levels: no figure, and no warning; three at two levels: a figure."""
    thin = UnderLoad("LV", np.arange(1, 6), np.full(5, 0.1))
    assert latency_under_load([thin]) is None
    assert latency_under_load([thin, UnderLoad("LV", np.array([1, 1, 1, 2, 2, 2]), np.full(6, 0.1))]) is not None


def test_positions_find_their_chunk_across_longitude_zero() -> None:
    """A box from 350 to 10 degrees holds 359 and 1, not 180."""
    sky = SkyMap(np.array([1, 2]), np.array([350.0, 10.0]), np.array([10.0, 30.0]), np.array([-1.0, -1.0]),
                 np.array([1.0, 1.0]), np.array([5, 5]), [("n",), ("n",)])  # fmt: skip
    ra, decl = np.array([359.0, 1.0, 10.0, 180.0, 359.0]), np.array([0.0, 0.0, 0.0, 0.0, 5.0])
    assert chunk_of(sky, ra, decl).tolist() == [0, 0, 1, -1, -1]


def test_the_slowest_statements_are_explained() -> None:
    """Each once, slowest first, with the target's own words; a refusal is kept as text."""

    class Explaining(NullTarget):
        def explain(self, sql: str, database: str) -> str:
            if "cone" in sql:
                raise UserError("no plan")
            return f"plan of {sql}"

    trial = made_trial(1)
    plans = explain_slowest(Explaining(), trial.samples, trial.statements, "d")
    assert next(iter(plans)).endswith("density'")
    assert plans["SELECT 'LV/cone'"] == "not explained: no plan"
    assert len(plans) == 4


@pytest.mark.parametrize(
    ("statistic", "bound", "is_kept"),
    [
        ("mean", {"at_most": 10}, True),
        ("p95", {"at_most": 1e-6}, False),
        ("p99", {"at_most": 10}, False),
        ("goodput", {"at_least": 1e9}, False),
        ("throughput", {"at_least": 0.1}, True),
        ("error_share", {"at_most": 0}, True),
        ("wrong", {"at_most": 0}, True),
    ],
)
def test_thresholds_decide(statistic: str, bound: dict[str, float], is_kept: bool) -> None:
    """Each bound is kept or broken, a percentile that 60 samples do not bear counts as broken, and the trial fails."""
    loaded = made_workload(thresholds=[{"class": "LV", "statistic": statistic, **bound}])
    summary = summarise(loaded, made_trial(1, workload=loaded).samples)
    assert [one.is_kept for one in summary.thresholds] == [is_kept]
    assert summary.is_passed is is_kept


def test_growth_is_the_exponent_over_clients() -> None:
    """Mean latencies of 1, 2 and 4 s at 1, 2 and 4 clients grow linearly: 1; a bound of 0.9 is broken."""
    phases = [
        {"name": f"p{n}", "classes": [{"class": "LV", "templates": ["a"], "count": 1,
                                       "arrivals": {"loop": "closed", "clients": n}}]} for n in (1, 2, 4)
    ]  # fmt: skip
    loaded = made_workload(phases=phases, thresholds=[{"class": "LV", "statistic": "growth", "at_most": 0.9}])
    base = made_trial(1).summary.classes[0]
    assert base.latency is not None
    classes = [
        base.model_copy(update={"phase": f"p{n}", "latency": base.latency.model_copy(update={"mean_s": float(n)})})
        for n in (1, 2, 4)
    ]
    found = check_thresholds(loaded, classes)
    assert found[0].found == pytest.approx(1.0)
    assert not found[0].is_kept
