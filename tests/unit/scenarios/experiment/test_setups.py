"""Set-ups: which cells share a cluster."""

from __future__ import annotations

from pathlib import Path

from tests.support.made_experiments import written

from skyshard.bench.experiment.cells import make_design
from skyshard.bench.experiment.experiment_file import read_experiment
from skyshard.scenarios.experiment.setups import setups_of

TEXT = "trials: 1\nfactors: {engine: [MyISAM, InnoDB], set.key_buffer_size: [8M, 64M], scan_threads: [1, 2]}\n"


def test_cells_that_differ_in_what_a_start_decides_share_a_set_up(tmp_path: Path) -> None:
    """Engine and nodes need a cluster of their own; settings and scan threads do not."""
    design = make_design(read_experiment(written(tmp_path, TEXT)))
    setups, by_cell = setups_of(design.cells)
    assert [setup.engine for setup in setups.values()] == ["MyISAM", "InnoDB"]
    assert sorted(by_cell.values()) == [1] * 4 + [2] * 4


def test_cells_that_scan_otherwise_share_a_set_up(tmp_path: Path) -> None:
    """It has column images where one of them may read these."""
    for levels, has_images in (("[rows, columns]", True), ("[auto, rows]", True)):
        text = f"trials: 1\nfactors: {{scan: {levels}, nodes: [1, 2]}}\n"
        setups, by_cell = setups_of(make_design(read_experiment(written(tmp_path, text))).cells)
        assert sorted(by_cell.values()) == [1, 1, 2, 2]
        assert {setup.has_images for setup in setups.values()} == {has_images}
    text = "trials: 1\nfactors: {nodes: [1, 2]}\nhold: {scan: rows}\n"
    setups, _ = setups_of(make_design(read_experiment(written(tmp_path, text))).cells)
    assert not any(setup.has_images for setup in setups.values())


def test_settings_of_a_data_folder_need_a_set_up_each(tmp_path: Path) -> None:
    """A page size holds from the creation on."""
    factors = "{set.innodb_page_size: [16K, 8K], set.sort_buffer_size: [1M, 2M]}"
    text = f"trials: 1\nfactors: {factors}\nhold: {{engine: InnoDB}}\n"
    design = make_design(read_experiment(written(tmp_path, text)))
    setups, _ = setups_of(design.cells)
    assert [setup.settings for setup in setups.values()] == [("innodb_page_size=16K",), ("innodb_page_size=8K",)]
