"""Numbers as people read them: bytes, counts, times. No I/O."""

from __future__ import annotations


def human_bytes(count: float) -> str:
    """Bytes of data, with a decimal prefix.

    >>> human_bytes(1_500_000), human_bytes(999)
    ('1.5 MB', '999 B')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def binary_bytes(count: float | None) -> str:
    """Bytes of memory and of blocks, in powers of 1024.

    >>> binary_bytes(512), binary_bytes(1536), binary_bytes(25 * 2**30), binary_bytes(None)
    ('512 B', '1.5 KiB', '25 GiB', '–')
    """
    if count is None:
        return "–"
    for power, unit in enumerate(("B", "KiB", "MiB", "GiB")):
        if count < 1000 * 1024**power:
            return f"{digits(round(count / 1024**power, 2))} {unit}"
    return f"{digits(count / 1024**4)} TiB"


def short_count(count: float) -> str:
    """A count of anything, for an axis.

    >>> short_count(1500), short_count(20), short_count(2_500_000)
    ('1.5k', '20', '2.5M')
    """
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= factor:
            return f"{count / factor:.3g}{unit}"
    return f"{count:.3g}"


def counted(count: int, noun: str) -> str:
    """A number of things whose name takes an s where it is not one.

    >>> counted(1, "row"), counted(0, "row"), counted(1200, "row")
    ('1 row', '0 rows', '1,200 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def seconds(value: float | None) -> str:
    """A time, with its unit and three digits.

    >>> seconds(0.00123), seconds(0.25), seconds(12.3456), seconds(3600)
    ('1.23 ms', '250 ms', '12.3 s', '1 h')
    """
    if value is None:
        return "–"
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"), (3600.0, 1 / 60, "min")):
        if value < limit * 0.9995:
            return f"{digits(value * factor)} {unit}"
    return f"{digits(value / 3600)} h"


def digits(value: float) -> str:
    """Three significant digits, no exponent, no needless zeros after the point.

    >>> digits(1234.5), digits(2.0), digits(0.12345)
    ('1,234', '2', '0.123')
    """
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1e-3 else f"{value:.2g}"
