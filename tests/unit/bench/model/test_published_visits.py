"""Published runs of visits, as they ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.model.published_visits import read_published_visits, shipped_published_visits
from skyshard.host.shipped_data import data_folder

FILE = data_folder("queries", "published") / "apdb.yaml"


def test_every_run_has_a_source_and_its_fit_passes_near_its_points() -> None:
    """A line that was published with a start meets its run's own point within a tenth."""
    published = shipped_published_visits()
    assert all(run.source for run in published.results)
    for run in published.results:
        for line in run.lines:
            known = [one for one in run.points if getattr(one, f"{line.what}_s")]
            if line.first_s is not None and known:
                last = known[-1]
                found = line.first_s + line.slope_s * last.visits / 1000
                assert found == pytest.approx(getattr(last, f"{line.what}_s"), rel=0.1), run.backend


def test_rows_of_histories_are_level_after_the_window_and_objects_grow_on() -> None:
    """Rows are those published at their visits; later only objects are more."""
    published = shipped_published_visits()
    assert published.rows_after(100_000) == (2770, 3860, 17600)
    full, later = published.rows_after(published.window_visits), published.rows_after(400_000)
    assert (later[1], later[2]) == (11600, 58500)
    assert (full[1], full[2]) == (later[1], later[2])
    assert full[0] < later[0] == 10800
    assert published.rows_after(0) == (0, 0, 0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("visit_s: 242", "visits_s: 242", "visits_s"),
        ("origin: computed", "origin: guessed", "origin"),
        ("{visits: 3500, visit_s: 242, select_object_s: 129, store_s: 90, origin: computed}",
         "{visits: 3500, origin: read}", "a point needs a time"),
        ("{visits: 5000, select_s: 2.2", "{visits: 500, select_s: 2.2", "not in order"),
    ],
)  # fmt: skip
def test_wrong_keys_are_refused_by_name(tmp_path: Path, old: str, new: str, said: str) -> None:
    """An unknown key, a word that is none, a point without a time or out of order: file, key, remedy."""
    text = FILE.read_text()
    assert old in text
    (tmp_path / "apdb.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=said):
        read_published_visits(tmp_path / "apdb.yaml")
