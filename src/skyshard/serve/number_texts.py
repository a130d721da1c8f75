"""Numbers as MariaDB prints them in its text protocol, whole columns at a time. No I/O.

=================  ===================================================================================================
DOUBLE             the shortest digits that read back as the same value; an exponent without ``+`` from 1e15 up and
                   below 1e-15, else digits only: ``1e20``, ``0.0000001``
FLOAT              six digits at most, in the same form
with decimals      that many behind the point: ``ROUND(x, 2)``, ``DOUBLE(10,3)``
DECIMAL            all its digits, never an exponent
=================  ===================================================================================================

Zero has no sign. NULL stays null.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.array_types import Flags, Floats, Integers

FIRST_EXPONENT, LAST_EXPONENT = -15, 14
"""Powers of ten between which a value is written without an exponent."""
ARROW_SMALL, ARROW_LARGE = 1e-6, 1e10
"""Arrow writes values between them without an exponent."""
FLOAT_DIGITS = 6
EXACT_POWERS = 22
"""10 to so much is a double that is exact."""
TIE = 1e-6
"""So near to the middle between two decimals the exact value decides."""
WHOLE_BITS = 2.0**52
_SCIENTIFIC = r"^(?P<sign>-?)(?P<first>\d)\.?(?P<rest>\d*)e\+?(?P<power>-?\d+)$"
_ZEROS = pa.array(["0" * count for count in range(32)])


def double_texts(values: pa.Array) -> pa.Array:
    """Texts of DOUBLEs.

    >>> double_texts(pa.array([1e20, 1e-7, -0.0, 0.1, 123456789012345.6, None])).to_pylist()
    ['1e20', '0.0000001', '0', '0.1', '123456789012345.6', None]
    """
    values = pc.add(values.cast(pa.float64()), 0.0)  # which takes the sign of zero away
    texts = values.cast(pa.string())
    if _are_plain(_filled(values)):
        return texts
    is_scientific = pc.fill_null(pc.match_substring(texts, "e"), False)
    if not pc.any(is_scientific).as_py():
        return texts
    return pc.replace_with_mask(texts, is_scientific, _written_out(texts.filter(is_scientific)))


def _are_plain(numbers: Floats) -> bool:
    """Whether Arrow writes none of them with an exponent."""
    sizes = np.abs(numbers)
    return not ((sizes >= ARROW_LARGE) | ((sizes < ARROW_SMALL) & (sizes > 0))).any()


def _written_out(texts: pa.Array) -> pa.Array:
    """What Arrow writes with an exponent, as MariaDB does."""
    parts = pc.extract_regex(texts, _SCIENTIFIC)
    sign, first, rest, power = (parts.field(index) for index in range(4))
    powers = power.cast(pa.int32())
    digits = pc.binary_join_element_wise(first, rest, "")
    lengths = pc.utf8_length(digits)
    is_small = pc.and_(pc.less(powers, 0), pc.greater_equal(powers, FIRST_EXPONENT))
    is_large = pc.or_(
        pc.and_(pc.greater_equal(powers, 0), pc.less_equal(powers, LAST_EXPONENT)),
        pc.and_(pc.equal(powers, LAST_EXPONENT + 1), pc.greater(lengths, LAST_EXPONENT + 2)),
    )
    plain = pc.replace_substring(texts, "e+", "e")
    before = _zeros(pc.if_else(is_small, pc.subtract(pc.negate(powers), 1), 0))
    small = pc.binary_join_element_wise(sign, "0.", before, digits, "")
    large = pc.binary_join_element_wise(sign, _with_point(digits, lengths, pc.if_else(is_large, powers, 0)), "")
    return pc.if_else(is_small, small, pc.if_else(is_large, large, plain))


def _with_point(digits: pa.Array, lengths: pa.Array, powers: pa.Array) -> pa.Array:
    """Digits with zeros behind them, or a point among them, so that the first one stands for 10 to ``powers``."""
    missing = pc.max_element_wise(pc.subtract(pc.add(powers, 1), lengths), 0)
    padded = pc.binary_join_element_wise(digits, _zeros(missing), "")
    found = padded
    for power in pc.unique(powers.filter(pc.less(pc.add(powers, 1), lengths))).to_pylist():
        pointed = pc.binary_join_element_wise(
            pc.utf8_slice_codeunits(padded, 0, power + 1), pc.utf8_slice_codeunits(padded, power + 1), "."
        )
        is_here = pc.and_(pc.equal(powers, power), pc.greater(lengths, power + 1))
        found = pc.if_else(is_here, pointed, found)
    return found


def _zeros(counts: pa.Array) -> pa.Array:
    return _ZEROS.take(counts)


def float_texts(values: pa.Array) -> pa.Array:
    """Texts of FLOATs: rounded to six digits, a tie to the even one.

    >>> float_texts(pa.array([1 / 3, 16777216, 1e-38, 0.15], pa.float32())).to_pylist()
    ['0.333333', '16777200', '1e-38', '0.15']
    """
    numbers = _filled(values)
    mask = _nulls(values) if values.null_count else None
    return double_texts(pa.array(_to_digits(numbers), mask=mask))


def _to_digits(numbers: Floats) -> Floats:
    """Doubles rounded to six decimal digits."""
    sizes = np.abs(numbers)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        powers = np.where(sizes > 0, np.floor(np.log10(np.where(sizes > 0, sizes, 1.0))), 0).astype(np.int64)
        shifts = FLOAT_DIGITS - 1 - powers
        scaled = np.where(shifts >= 0, numbers * _power(shifts), numbers / _power(-shifts))
        wholes = np.rint(scaled)
        found = np.where(shifts >= 0, wholes / _power(shifts), wholes * _power(-shifts))
    is_doubtful = (np.abs(np.abs(scaled - np.floor(scaled)) - 0.5) < TIE) & (sizes > 0)
    is_doubtful |= (np.abs(shifts) > EXACT_POWERS) & (sizes > 0)
    return _exactly(found, numbers, is_doubtful, f".{FLOAT_DIGITS}g")


def _power(shifts: Integers) -> Floats:
    found: Floats = np.power(10.0, np.clip(shifts, 0, EXACT_POWERS), dtype=np.float64)
    return found


def _exactly(found: Floats, numbers: Floats, is_doubtful: Flags, form: str) -> Floats:
    """``found`` with the few values whose last digit only the exact value tells."""
    if is_doubtful.any():
        different, places = np.unique(numbers[is_doubtful], return_inverse=True)
        found[is_doubtful] = np.array([float(format(one, form)) for one in different.tolist()])[places]
    return found


def fixed_texts(values: pa.Array, decimals: int) -> pa.Array:
    """Texts of floating numbers with so many digits behind the point.

    >>> fixed_texts(pa.array([1.5, -0.004, 2.675, 1e20, None]), 2).to_pylist()
    ['1.50', '0.00', '2.67', '100000000000000000000.00', None]
    """
    numbers = _filled(values)
    scaled = numbers * 10.0**decimals
    is_whole = np.abs(scaled) < WHOLE_BITS
    is_tie = np.abs(np.abs(scaled - np.floor(scaled)) - 0.5) < np.maximum(TIE, np.abs(scaled) * 1e-15)
    is_plain = is_whole & ~is_tie & (decimals <= EXACT_POWERS)
    wholes = np.rint(np.where(is_plain, scaled, 0)).astype(np.int64)
    texts = _pointed(pa.array(wholes), decimals)
    if not is_plain.all():
        different, places = np.unique(numbers[~is_plain], return_inverse=True)
        exact = pa.array([_fixed(one, decimals) for one in different.tolist()])
        texts = pc.replace_with_mask(texts, pa.array(~is_plain), exact.take(pa.array(places)))
    return pc.if_else(pa.array(_nulls(values)), None, texts)


def _fixed(number: float, decimals: int) -> str:
    """Of the shortest digits, where these are no more than are wanted; else the exact value, rounded."""
    shortest = Decimal(repr(number))
    is_short = int(shortest.as_tuple().exponent) >= -decimals
    text = f"{shortest:.{decimals}f}" if is_short else f"{number:.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def _pointed(wholes: pa.Array, decimals: int) -> pa.Array:
    """Whole numbers with a point before their last ``decimals`` digits."""
    if not decimals:
        return wholes.cast(pa.string())
    digits = pc.utf8_lpad(pc.abs(wholes).cast(pa.string()), decimals + 1, "0")
    whole, part = pc.utf8_slice_codeunits(digits, 0, -decimals), pc.utf8_slice_codeunits(digits, -decimals)
    texts = pc.binary_join_element_wise(whole, part, ".")
    sign = pc.if_else(pc.less(wholes, 0), "-", "")
    return pc.binary_join_element_wise(sign, texts, "")


def decimal_texts(values: pa.Array) -> pa.Array:
    """Texts of DECIMALs with all digits behind the point.

    >>> from decimal import Decimal
    >>> decimal_texts(pa.array([Decimal("0.00000001"), Decimal("-12.50000000"), None])).to_pylist()
    ['0.00000001', '-12.50000000', None]
    """
    texts = values.cast(pa.string())
    is_scientific = pc.fill_null(pc.match_substring(texts, "E"), False)
    if not pc.any(is_scientific).as_py():
        return texts
    kinds = values.filter(is_scientific).dictionary_encode()
    plain = pa.array([f"{one:f}" for one in kinds.dictionary.to_pylist()])
    return pc.replace_with_mask(texts, is_scientific, plain.take(kinds.indices))


def _filled(values: pa.Array) -> Floats:
    """As doubles, zero where there is none."""
    numbers = values.cast(pa.float64())
    found: Floats = (pc.fill_null(numbers, 0.0) if numbers.null_count else numbers).to_numpy()
    return found


def _nulls(values: pa.Array) -> Flags:
    found: Flags = values.is_null().to_numpy(zero_copy_only=False)
    return found
