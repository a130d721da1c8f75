"""Layouts of tables: what their keys may say together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from skyshard.catalog.layout import Layout, TableLayout

DIRECTOR: dict[str, Any] = {"role": "director", "key": "id", "position": ["ra", "dec"]}
DEPENDENT: dict[str, Any] = {"role": "dependent", "key": "id", "director": "Object"}


def test_keep_all_and_keys_that_are_not_unique_are_one_thing() -> None:
    """Either says the other, also when it is read back from the registry."""
    for said in ({"duplicates": "keep-all"}, {"unique_key": False}, {"duplicates": "keep-all", "unique_key": False}):
        layout = TableLayout.model_validate(DIRECTOR | said)
        assert (layout.duplicates, layout.unique_key) == ("keep-all", False)
        assert TableLayout.model_validate(layout.model_dump(mode="json")) == layout
    assert TableLayout.model_validate(DIRECTOR).duplicates == "refuse"


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (DIRECTOR | {"duplicates": "keep-all", "unique_key": True}, "keep-all contradicts unique_key: true"),
        (DIRECTOR | {"duplicates": "keep-first", "unique_key": False}, "keep-first contradicts unique_key: false"),
        (DIRECTOR | {"duplicates": "keep-first", "key": ""}, "keep-first is for directors with a key"),
        (DEPENDENT | {"duplicates": "keep-all"}, "refused where a primary_key of theirs occurs twice in a chunk"),
        ({"role": "regular", "duplicates": "keep-first"}, "keep-first is for directors with a key"),
        (DEPENDENT | {"bad_positions": "skip"}, "skip is for directors and dependents with position columns"),
        ({"role": "regular", "bad_positions": "quarantine"}, "quarantine is for directors and dependents"),
        (DIRECTOR | {"orphans": "skip"}, "orphans: skip is for dependents with a key"),
    ],
)
def test_policies_without_anything_to_act_on_are_refused(layout: dict[str, Any], message: str) -> None:
    """With the reason, as contradictions are."""
    with pytest.raises(ValidationError, match=message):
        TableLayout.model_validate(layout)


def test_policies_are_no_part_of_the_table() -> None:
    """What becomes of rows that come may change from one ingest to the next; whether keys are unique may not."""
    layout = TableLayout.model_validate(DIRECTOR)
    for said, is_same in (({"duplicates": "keep-first"}, True), ({"bad_positions": "skip"}, True),
                          ({"duplicates": "keep-all"}, False), ({"key": "other"}, False)):  # fmt: skip
        assert layout.is_same_table(TableLayout.model_validate(DIRECTOR | said)) == is_same


STRIPING: dict[str, Any] = {"striping": {"stripes": 18, "substripes": 6, "overlap_deg": 0.1}}


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"upsert": "replace"}, "upsert is for mutable tables"),
        ({"time_partition_days": 30}, "time_partition_days is for mutable tables"),
        ({"mutable": True}, "mutable tables need engine InnoDB, MyRocks or Aria"),
        ({"mutable": True, "engine": "InnoDB", "replicas": 2}, "mutable tables have one replica, not 2"),
        ({"mutable": True, "engine": "InnoDB", "columns": "all"}, "mutable tables have no column images"),
        ({"mutable": True, "engine": "InnoDB", "tables": {"Object": DIRECTOR}}, "leave tables out"),
        ({"mutable": True, "engine": "InnoDB", "time_partition_days": 7}, "visits count months of 30 days"),
    ],
)
def test_what_mutable_tables_cannot_be_is_refused(layout: dict[str, Any], message: str) -> None:
    """With the reason, and what can be."""
    with pytest.raises(ValidationError, match=message):
        Layout.model_validate(STRIPING | layout)


def test_layouts_without_mutable_tables_are_written_as_before() -> None:
    """So that digests of plans, and releases that know none, are what they were."""
    layout = Layout.model_validate(STRIPING)
    assert not {"mutable", "time_partition_days", "upsert"} & layout.model_dump(mode="json").keys()
    visits = Layout.model_validate(STRIPING | {"mutable": True, "engine": "Aria", "upsert": "on-duplicate"})
    assert Layout.model_validate(visits.model_dump(mode="json")) == visits
