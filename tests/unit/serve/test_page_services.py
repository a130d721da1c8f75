"""docs/reference/page.md names each field that the page reads, and no other."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from tests.support.documented import ROOT

from skyshard.serve.page_services import (
    BenchClassNow,
    BenchNow,
    CatalogNow,
    NodeNow,
    RunningQuery,
    SkyNow,
    TransactionNow,
)

PAGE = (ROOT / "docs" / "reference" / "page.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "value", "others"),
    [
        ("a query", RunningQuery, {"null", "queued", "executing", "lost"}),
        ("a node", NodeNow, set()),
        ("a catalog", CatalogNow, set()),
        ("a transaction", TransactionNow, set()),
        ("a benchmark", BenchNow, {"null"}),
        ("a class of a benchmark", BenchClassNow, set()),
        ("a sky", SkyNow, set()),
    ],
)
def test_each_field_is_described(name: str, value: type, others: set[str]) -> None:
    """In the row of what it belongs to; ``others`` are values."""
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {name} |")]
    assert set(re.findall(r"`(\w+)`", row)) == {one.name for one in fields(value)} | others
