"""HDR histograms of a trial: one for each phase, class and kind of time, mergeable over trials and with other tools.

``histograms.hlog`` is HdrHistogram's interval log, one line each, tagged ``phase/class/latency`` or ``.../service``;
values are whole microseconds with three significant digits, from 1 µs to a day. Warm-up and failures are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hdrh.histogram import HdrHistogram

from skyshard.basics.errors import UserError

HISTOGRAMS = "histograms.hlog"
LONGEST_US = 86_400 * 1_000_000
DIGITS = 3
KINDS = ("latency_s", "service_s")


def new_histogram() -> HdrHistogram:
    return HdrHistogram(1, LONGEST_US, DIGITS)


def histogram_of(seconds: np.ndarray) -> HdrHistogram:
    """A histogram of times; shorter than a microsecond counts as one microsecond, longer than a day as one day."""
    histogram = new_histogram()
    values, counts = np.unique(np.clip(np.rint(seconds * 1e6), 1, LONGEST_US).astype(np.int64), return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):  # distinct values, not rows
        histogram.record_value(value, count)
    return histogram


def histograms_of(samples: pa.Table) -> Iterator[tuple[str, HdrHistogram]]:
    """(tag, histogram) of each phase, class and kind of time; ``samples`` have durations."""
    answered = samples.filter(pc.and_(pc.invert(samples["is_warm_up"]), pc.is_null(samples["error"])))
    groups = (
        answered.group_by(["phase", "class"]).aggregate([]).sort_by([("phase", "ascending"), ("class", "ascending")])
    )
    for group in groups.to_pylist():
        part = answered.filter(
            pc.and_(pc.equal(answered["phase"], group["phase"]), pc.equal(answered["class"], group["class"]))
        )
        for kind in KINDS:
            tag = f"{group['phase']}/{group['class']}/{kind.removesuffix('_s')}"
            yield tag, histogram_of(part[kind].to_numpy())


def write_histograms(samples: pa.Table, path: Path) -> None:
    """Write the log with the tags of format 1.3, which the Python library does not write."""
    lines = [
        "#[Histogram log format version 1.3]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    for tag, histogram in histograms_of(samples):
        payload = histogram.encode().decode("ascii")
        lines.append(f"Tag={tag},0.000,0.000,{histogram.get_max_value() / 1e6:.6f},{payload}")
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def read_histograms(path: Path) -> dict[str, HdrHistogram]:
    """The histograms of a log by tag; those of one tag are added up.

    Raises:
        UserError: the file cannot be read, or a line is not a histogram.
    """
    found: dict[str, HdrHistogram] = {}
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        for line in (line for line in lines if line.startswith("Tag=")):
            tag, _, _, _, payload = line.removeprefix("Tag=").split(",")
            histogram = HdrHistogram.decode(payload.encode())
            found.setdefault(tag, new_histogram()).add(histogram)
    except Exception as error:  # the decoder raises errors of any type
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"cannot read '{path}': {reason}", remedy="run the trial again") from None
    return found
