"""Paths of Butler exports: run, dataset type and dimensions come apart as the templates put them together."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.ingest.sources.butler_paths import ButlerPath, DatasetId, read_butler_path

RUN = "HSC/runs/RC2/w_2026_24/DM-24822/20260612T101500Z"
NAME = RUN.replace("/", "_")


def gen3(kind: str, folders: str = "", middle: str = "", run: str = RUN) -> str:
    parts = [kind, *([middle] if middle else []), run.replace("/", "_")]
    return "/".join(part for part in (run, kind, folders, f"{'_'.join(parts)}.parq") if part)


CASES = {
    gen3("objectTable_tract", "9813", "9813_hsc_rings_v1"): ButlerPath(
        RUN, DatasetId("objectTable_tract", "9813", skymap="hsc_rings_v1")
    ),
    gen3("objectTable", "9813/7", "9813_7_hsc_rings_v1"): ButlerPath(
        RUN, DatasetId("objectTable", "9813", "7", skymap="hsc_rings_v1")
    ),
    gen3("sourceTable_visit", "20140421/g/HSC-G/1228", "HSC_g_HSC-G_1228"): ButlerPath(
        RUN, DatasetId("sourceTable_visit", visit="1228", band="g"), "20140421", "HSC-G", "HSC"
    ),
    gen3("sourceTable", "20140421/g/HSC-G/1228", "HSC_g_HSC-G_1228_1_53"): ButlerPath(
        RUN, DatasetId("sourceTable", visit="1228", band="g", detector="1_53"), "20140421", "HSC-G", "HSC"
    ),
    gen3("source", "20250420/r/r_57/2025042000123", "LSSTCam_r_r_57_2025042000123_R22_S11"): ButlerPath(
        RUN, DatasetId("source", visit="2025042000123", band="r", detector="R22_S11"), "20250420", "r_57", "LSSTCam"
    ),
    gen3("visitTable", "", "HSC"): ButlerPath(RUN, DatasetId("visitTable"), instrument="HSC"),
    gen3("isolated_star_stellar_motions", "10000", "LSSTCam_10000_lsst_cells_v2"): ButlerPath(
        RUN, DatasetId("isolated_star_stellar_motions", "10000", skymap="lsst_cells_v2"), instrument="LSSTCam"
    ),
    gen3("forcedSourceTable", "9813/40", "HSC_9813_40_hsc_rings_v1"): ButlerPath(
        RUN, DatasetId("forcedSourceTable", "9813", "40", skymap="hsc_rings_v1"), instrument="HSC"
    ),
    "rerun/RC/w_2020_19/DM-24822/deepCoadd-results/merged/9813/objectTable-9813.parq": ButlerPath(
        "rerun/RC/w_2020_19/DM-24822", DatasetId("objectTable", "9813")
    ),
    "rerun/RC/w_2020_19/DM-24822/00533/HSC-R/output/sourceTable-0011690.parq": ButlerPath(
        "rerun/RC/w_2020_19/DM-24822", DatasetId("sourceTable", visit="11690"), physical_filter="HSC-R"
    ),
}


@pytest.mark.parametrize("path", CASES)
def test_path_of_a_template_is_read(path: str) -> None:
    """Run, dataset id, filter and instrument of each layout that the pipelines of HSC and LSSTCam write."""
    assert read_butler_path(path) == CASES[path]


@pytest.mark.parametrize("above", range(7))
def test_run_is_the_same_from_any_root(above: int) -> None:
    """The file repeats its run's name, so a root inside of the run changes nothing."""
    path = Path("/data/repo") / gen3("objectTable_tract", "9813", "9813_hsc_rings_v1")
    root = Path("/data/repo", *RUN.split("/")[:above])
    for given_path in (path, path.relative_to(root)):
        found = read_butler_path(given_path, root)
        assert found is not None
        assert (found.run, found.dataset.tract) == (RUN, "9813")


def test_run_of_a_renamed_folder_is_the_folder() -> None:
    """Where the file's name repeats another run than the folders say, the folders below the root count."""
    path = Path("/copies/mine/objectTable_tract/9813", f"objectTable_tract_9813_hsc_rings_v1_{NAME}.parq")
    assert read_butler_path(path, "/copies") == ButlerPath("mine", DatasetId("objectTable_tract", "9813"))


@pytest.mark.parametrize(
    "path",
    [
        "Object/visit=1/part.parquet",
        "a.parquet",
        "Object/Object_x/b.parq",
        "tracts/9813.parq",
        "object/000/object_LSSTCam_10000_lsst_cells_v2_runs_20260422T171231Z.parq",
    ],
)
def test_other_paths_are_none(path: str) -> None:
    """A file that no template describes is of no run."""
    assert read_butler_path(path) is None


def test_weekly_ticket_and_time_come_from_the_run() -> None:
    """The words of a run's name that order and explain it."""
    found = read_butler_path(gen3("visitTable", "", "HSC"))
    assert found is not None
    assert (found.weekly, found.ticket, found.timestamp) == ("w_2026_24", "DM-24822", "20260612T101500Z")
    plain = read_butler_path(gen3("visitTable", "", "HSC", run="u/me/test"))
    assert plain is not None
    assert (plain.run, plain.weekly, plain.ticket, plain.timestamp) == ("u/me/test", "", "", "")


@given(
    st.lists(st.sampled_from(["HSC", "runs", "u", "w_2026_24", "DM-1", "9813", "objectTable"]), min_size=1, max_size=5),
    st.integers(0, 99_999), st.integers(0, 99),
)  # fmt: skip
def test_what_is_put_together_comes_apart(folders: list[str], tract: int, patch: int) -> None:
    """Any run, with digits and dataset types among its folders, and any tract and patch."""
    run = "/".join(folders)
    found = read_butler_path(gen3("objectTable", f"{tract}/{patch}", f"{tract}_{patch}_rings_v1", run))
    assert found == ButlerPath(run, DatasetId("objectTable", str(tract), str(patch), skymap="rings_v1"))
