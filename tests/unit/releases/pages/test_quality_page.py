"""The page of a database's quality."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.counted import STANDING, kept_counts

from skyshard.basics.errors import UserError
from skyshard.releases.pages.quality_page import html, least_complete, status, verdict, write_quality
from skyshard.releases.quality.add_up import added_up
from skyshard.releases.quality.database_quality import CountDifference


def test_columns_with_most_missing_values_come_first() -> None:
    """flux lacks 3 of 10 values, band 3 as well; flags are apart."""
    quality = added_up("hsc", kept_counts(), STANDING)
    assert [one.name for one in least_complete(quality.tables[0].columns)] == ["band", "flux", "objectId"]
    page = html(quality)
    assert re.search(r"flux</th><td>float</td>\s*<td class=\"n strong\">70 %", page)
    assert "Nothing was counted of: Visit" in page


def test_what_was_expected_decides_the_verdict() -> None:
    """Nothing said, all as expected, and a difference, which is on the page."""
    quality = added_up("hsc", kept_counts(), STANDING)
    assert (status(quality), verdict(quality)) == (
        "partial", "10 rows of 1 tables were counted; nothing was said of how many were expected.",
    )  # fmt: skip
    assert status(quality.model_copy(update={"differences": []})) == "passed"
    wrong = CountDifference(table="Object", dataset="tract <7>", expected=1200, found=6)
    failed = quality.model_copy(update={"differences": [wrong]})
    assert (status(failed), verdict(failed)) == ("failed", "1 count is not as expected.")
    assert "Object, tract &lt;7&gt;: 6 rows, expected 1,200" in html(failed)


def test_the_page_is_written_or_refused(tmp_path: Path) -> None:
    """Into a new folder; not where a file is in the way."""
    quality = added_up("hsc", kept_counts(), STANDING)
    write_quality(tmp_path / "new" / "quality.html", quality)
    assert (tmp_path / "new" / "quality.html").read_text(encoding="utf-8") == html(quality)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_quality(tmp_path / "file" / "quality.html", quality)
