"""Counts of a small table, as two transactions kept them, worked out by hand."""

from __future__ import annotations

from skyshard.ingest.quality.kept_quality import SliceQuality, TableQuality, TransactionQuality

RUN = "/data/HSC/runs/RC2/w_2026_24/DM-1/20260615T141500Z"
COLUMNS = {"objectId": "bigint(20)", "flux": "float", "detect_isPrimary": "tinyint(1)", "band": "char(1)"}


def object_path(tract: int) -> str:
    """The file of a tract, as a Butler names it."""
    name = f"objectTable_tract_{tract}_hsc_rings_v1_{RUN.removeprefix('/data/').replace('/', '_')}"
    return f"{RUN}/objectTable_tract/{tract}/{name}.parq"


def kept_counts() -> dict[int, TransactionQuality]:
    """Tracts 7 and 8 in transaction 3, tract 7 once more in transaction 5."""
    first = [
        SliceQuality(
            path=object_path(7), digest="a", rows=10, nulls={"flux": 1}, nans={"flux": 2}, infinities={"flux": 1},
            trues={"detect_isPrimary": 9}, ranges={"flux": (-1.0, 5.0), "objectId": (1, 10)},
            places={"tract/patch": {"7/1": 6, "7/11": 4}},
        ),
        SliceQuality(
            path=object_path(8), digest="b", rows=4, nulls={"band": 3}, trues={"detect_isPrimary": 2},
            ranges={"flux": (0.5, 9.0), "objectId": (11, 14)}, places={"tract/patch": {"8/2": 4}},
        ),
    ]  # fmt: skip
    second = [
        SliceQuality(
            path=object_path(7), digest="c", rows=6, nans={"flux": 3}, trues={"detect_isPrimary": 6},
            ranges={"flux": (1.0, 2.0), "objectId": (2, 9)}, places={"tract/patch": {"7/1": 6}},
        )
    ]  # fmt: skip
    return {
        3: TransactionQuality(
            version=1, tables={"Object": TableQuality(columns=COLUMNS, slices=first, near_primary=4)}
        ),
        5: TransactionQuality(version=1, tables={"Object": TableQuality(columns=COLUMNS, slices=second)}),
    }


STANDING = {(5, "Object", object_path(7)), (3, "Object", object_path(8)), (3, "Visit", "/data/visits.csv")}
"""What was not replaced."""
