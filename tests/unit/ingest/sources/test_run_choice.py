"""Which run's file counts: the one that is named first, else the newest, else none and a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.ingest.sources.run_choice import RunChoice, choose_runs, require_runs

ROOT = Path("/repo")


def tract(run: str, number: int = 9813) -> Path:
    name = f"objectTable_tract_{number}_rings_v1_{run.replace('/', '_')}.parq"
    return ROOT / run / "objectTable_tract" / str(number) / name


def chosen(files: list[Path], *named: str) -> RunChoice:
    return choose_runs("'m.yaml', table 'Object'", ROOT, files, named)


OLD, NEW = "w_2026_24/DM-1/20260612T101500Z", "w_2026_24/DM-1/20260613T090000Z"


def test_newest_run_of_each_dataset_counts() -> None:
    """A tract that only the older run wrote stays; both runs are named, with the files left out."""
    files = [tract(OLD), tract(OLD, 9615), tract(NEW)]
    found = chosen(files)
    assert found.files == [tract(OLD, 9615), tract(NEW)]
    assert found.notes == (
        f"run {OLD}: 1 files taken", f"run {NEW}: 1 files taken",
        f"run {OLD}: 1 files left out, a later run has their datasets",
    )  # fmt: skip


def test_one_run_needs_no_words() -> None:
    """Nothing was decided, so nothing is said."""
    assert chosen([tract(NEW), tract(NEW, 9615)]) == RunChoice([tract(NEW), tract(NEW, 9615)])


def test_weekly_orders_runs_without_time() -> None:
    """Reruns of Gen2 end in no time; their weekly says which is later."""
    files = [
        ROOT / f"rerun/w_2020_{week}/DM-1/deepCoadd-results/merged/9813/objectTable-9813.parq" for week in ("19", "07")
    ]
    files = [*files, ROOT / "rerun/w_2020_07/DM-2/deepCoadd-results/merged/9813/objectTable-9813.parq"]
    assert chosen(files).files == [files[0]]


def test_runs_without_order_are_refused() -> None:
    """Neither time nor weekly: the dataset and both runs are named."""
    with pytest.raises(
        UserError, match=r"objectTable_tract tract 9813 skymap rings_v1 is in run 'u/a' and in run 'u/b'"
    ):
        chosen([tract("u/b"), tract("u/a")])


def test_named_order_goes_before_time() -> None:
    """The first run named counts; runs that are not named are left out, and said to be."""
    third = "w_2026_20/DM-9/20260520T000000Z"
    found = chosen([tract(OLD), tract(NEW), tract(third, 9615)], OLD, NEW)
    assert found.files == [tract(OLD)]
    assert found.notes[-1] == f"run {third}: 1 files left out, the run is not named"


def test_name_of_folders_means_all_runs_in_them() -> None:
    """Of the runs that one name means the newest counts."""
    assert chosen([tract(OLD), tract(NEW)], "w_2026_24/DM-1").files == [tract(NEW)]


def test_name_of_no_run_is_refused() -> None:
    """A part of a folder's name is no name; what is there is listed."""
    with pytest.raises(UserError, match=r"no file of run 'DM-12'.*there are u/DM-1;"):
        require_runs("'m.yaml'", ["u/DM-1", "DM-12"], ["u/DM-1"])


def test_other_files_are_all_taken() -> None:
    """Paths that no template describes have no run that could count or not."""
    files = [ROOT / "Object" / "a.parquet", ROOT / "Object" / "b.parquet"]
    assert chosen(files) == RunChoice(files)
