"""Visits as lines of the CSV that ``log2csv`` of l1dbproto makes, so that notebooks written for it read ours. No I/O.

One line a visit; times are means over its tiles, in seconds, as there; what we do not know is ``NULL``. ``*_cpu`` is
what the client took to build statements and decode rows. An upsert of DiaObjectLast counts as its insert.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.bench.record.visit_times import READ, TILE, visit_times

COLUMNS = (
    "visit", "obj_select_real", "obj_select_cpu", "obj_last_delete_real", "obj_last_insert_real", "obj_trunc_real",
    "obj_trunc_cpu", "obj_insert_real", "obj_insert_cpu", "src_select_real", "src_select_cpu", "src_insert_real",
    "src_insert_cpu", "fsrc_select_real", "fsrc_select_cpu", "fsrc_insert_real", "fsrc_insert_cpu", "select_real",
    "store_real", "store_cpu", "visit_proc_real", "visit_proc_cpu", "visit_real", "visit_cpu", "obj_selected",
    "src_selected", "fsrc_selected", "obj_in_fov", "obj_count", "src_count", "fsrc_count",
)  # fmt: skip
"""In their order."""
NULL = "NULL"
_WRITTEN = ("insert", "upsert")
_PARTS: dict[str, tuple[str, Sequence[str]]] = {
    "obj_select": ("DiaObjectLast", (READ,)),
    "src_select": ("DiaSource", (READ,)),
    "fsrc_select": ("DiaForcedSource", (READ,)),
    "obj_last_delete": ("DiaObjectLast", ("delete",)),
    "obj_last_insert": ("DiaObjectLast", _WRITTEN),
    "obj_insert": ("DiaObject", _WRITTEN),
    "src_insert": ("DiaSource", _WRITTEN),
    "fsrc_insert": ("DiaForcedSource", _WRITTEN),
}
"""Beginning of a column's name: table and kinds."""
_SELECTED = {"obj_selected": "obj_select", "src_selected": "src_select", "fsrc_selected": "fsrc_select"}

Floats = NDArray[np.float64]


def visits_as_csv(samples: pa.Table, phase: str) -> pa.Table:
    """A table of text with the columns of ``log2csv``, a row for each visit that ended whole, in their order."""
    times = visit_times(samples, phase)
    visit = times.whole.visit
    mine = samples.filter(pc.equal(samples["phase"], phase))
    mine = mine.filter(pc.and_(pc.is_in(mine["visit"], pa.array(visit)), pc.is_null(mine["error"])))
    took = pc.subtract(mine["done_s"], mine["sent_s"])
    mine = mine.append_column("took_s", took)
    found: dict[str, Floats] = {"visit_real": times.whole.real_s, "visit_cpu": times.whole.client_s}
    for name, (table, kinds) in _PARTS.items():
        part = mine.filter(pc.and_(pc.equal(mine["table"], table), pc.is_in(mine["kind"], pa.array(kinds))))
        found |= {f"{name}_real": _mean(part, "took_s", visit), f"{name}_cpu": _mean(part, "client_s", visit)}
        found |= {column: _mean(part, "rows", visit) for column, of in _SELECTED.items() if of == name}
    is_tile = pc.equal(mine["kind"], TILE)
    operations = mine.filter(pc.invert(is_tile))
    stores = operations.filter(pc.not_equal(operations["kind"], READ))
    found["select_real"] = _mean(operations.filter(pc.equal(operations["kind"], READ)), "took_s", visit)
    found |= {"store_real": _mean(stores, "took_s", visit), "store_cpu": _mean(stores, "client_s", visit)}
    found["visit_proc_real"] = _mean(mine.filter(is_tile), "took_s", visit)
    found["visit_proc_cpu"] = _mean(operations, "client_s", visit)
    texts = {name: _text(found[name]) if name in found else [NULL] * len(visit) for name in COLUMNS}
    return pa.table(texts | {"visit": pa.array(visit).cast(pa.string())}).select(COLUMNS)


def _mean(part: pa.Table, column: str, visit: NDArray[np.int64]) -> Floats:
    """Mean over the tiles of a visit of what each tile has in sum; NaN where a visit has none."""
    tiles = part.group_by(["visit", "tile"]).aggregate([(column, "sum")])
    places = np.searchsorted(visit, tiles["visit"].to_numpy())
    count = np.bincount(places, minlength=len(visit))
    total = np.bincount(places, tiles[f"{column}_sum"].to_numpy().astype(np.float64), len(visit))
    with np.errstate(invalid="ignore"):
        mean: Floats = total / count
    return mean


def _text(values: Floats) -> NDArray[np.str_]:
    """Numbers with six digits, as ``log2csv`` has them."""
    found: NDArray[np.str_] = np.where(np.isfinite(values), np.char.mod("%.6g", np.nan_to_num(values)), NULL)
    return found


def csv_text(table: pa.Table) -> str:
    """A header and a line a visit; numbers and NULL need no quotes.

    >>> csv_text(pa.table({"visit": ["1", "2"], "store_real": ["0.25", "NULL"]}))
    'visit,store_real\\n1,0.25\\n2,NULL\\n'
    """
    columns = [table[name].to_pylist() for name in table.column_names]
    return "\n".join([",".join(table.column_names), *map(",".join, zip(*columns, strict=True)), ""])
