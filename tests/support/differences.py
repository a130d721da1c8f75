"""Small differences for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from skyshard.releases.differences.difference import (
    ColumnDifference,
    DatabaseDifference,
    Objects,
    Outlier,
    SideFacts,
    TableDifference,
)


def column_of(name: str, rows: int, equal: int, **given: Any) -> ColumnDifference:
    """A DOUBLE column; shares follow from the counts."""
    nulls_old, nulls_new = given.pop("nulls_old", 0), given.pop("nulls_new", 0)
    facts = {
        "name": name, "old_name": name, "type_new": "double", "type_old": "double", "is_number": True, "rows": rows,
        "equal": equal, "equal_share": equal / rows, "nulls_old": nulls_old, "nulls_new": nulls_new,
        "null_share_old": nulls_old / rows, "null_share_new": nulls_new / rows, "compared": rows, "median": 0.0,
        "mad": 0.0, "largest": [Outlier(key_new=7, key_old=7, old=1.0, new=2.0, difference=1.0)],
    }  # fmt: skip
    return ColumnDifference.model_validate(facts | given)


def table_of(name: str, *, matched: int = 0, lost: int = 0, **given: Any) -> TableDifference:
    """A director that is matched by key."""
    counts: dict[str, Any] = {key: 0 for key, field in Objects.model_fields.items() if field.annotation is int}
    counts |= {"matched": matched, "matched_by_key": matched, "lost": lost, "lost_keys": [3] * bool(lost)}
    counts |= dict.fromkeys(("equal_keys", "equal_keys_near", "farthest_arcsec"))
    counts |= {key: counts.get(key, []) for key in ("lost_keys", "new_keys", "splits", "merges")}
    facts: dict[str, Any] = {
        "table": name, "role": "director", "how": "key", "why": "keys last", "rows_old": matched, "rows_new": matched,
        "columns_added": [], "columns_removed": [], "changed": 0, "objects": Objects.model_validate(counts),
        "content": None, "columns": [], "groupings": [], "chunks": [],
    }  # fmt: skip
    return TableDifference.model_validate(facts | given)


def difference_of(*tables: TableDifference, **given: Any) -> DatabaseDifference:
    """Of two databases of one striping."""
    old, new = (
        SideFacts(database=name, transaction=1, stripes=85, substripes=12, overlap_deg=0.01) for name in ("w1", "w2")
    )
    facts = {"new": new, "old": old, "radius_arcsec": 0.5, "match": "auto", "tables_added": [], "tables_removed": []}
    return DatabaseDifference.model_validate(facts | {"tables": list(tables), "violations": []} | given)
