"""How many digits of a number a protocol shows, kept with the column of an answer, so that no more are compared.

MariaDB prints a FLOAT with six digits, which a client gets as text; VOTable has no DECIMAL but a double for it. No I/O.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pt

from skyshard.rowimage.arrays import as_doubles

DIGITS = b"skyshard.digits"
_WHOLE_DOUBLE = 15
"""So many digits and more are all that a double has."""


def shown_field(name: str, kind: pa.DataType, digits: int = 0) -> pa.Field:
    """A column of an answer whose numbers were shown with so many digits; 0: with all of them."""
    return pa.field(name, kind, metadata={DIGITS: str(digits)} if digits else None)


def as_shown(truth: pa.ChunkedArray, answer: pa.Field) -> pa.ChunkedArray:
    """True values as the protocol of an answer shows them; the same where it shows all digits.

    >>> truth = pa.chunked_array([pa.array([1.23456789, None], pa.float32())])
    >>> found = as_shown(truth, shown_field("a", pa.float32(), 6)).to_pylist()
    >>> round(found[0], 7), found[1]
    (1.23457, None)
    """
    digits = int((answer.metadata or {}).get(DIGITS, b"0"))
    if not digits or not pt.is_floating(answer.type):
        return truth
    if pt.is_decimal(truth.type):
        return as_doubles(truth)
    if digits >= _WHOLE_DOUBLE or not pt.is_floating(truth.type):
        return truth
    kinds = truth.combine_chunks().dictionary_encode()
    rounded = [None if value is None else float(f"{value:.{digits}g}") for value in kinds.dictionary.to_pylist()]
    values = pa.array(rounded, pa.float64()).cast(answer.type, safe=False)
    return pa.chunked_array([values.take(kinds.indices)])
