"""Which files of a tree are a table's."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.butler_trees import objects, put_tract

from skyshard.basics.errors import UserError
from skyshard.ingest.sources.open_source import open_source

OLD, NEW = ("HSC/runs/RC2/w_2026_23/DM-1/20260601T101500Z", "HSC/runs/RC2/w_2026_24/DM-2/20260613T101500Z")


@pytest.mark.parametrize("optional", [False, True])
def test_a_table_of_other_runs_is_left_out_if_it_may_be_absent(optional: bool, tmp_path: Path) -> None:
    """Stars were written by a run that is not named: refused by table, unless the mapping does without."""
    put_tract(tmp_path, NEW, 9813, objects(1, 1))
    put_tract(tmp_path, OLD, 9813, objects(5, 1), "stars")
    (tmp_path / "mapping.yaml").write_text(
        "version: 1\ndatabase: d\nschema: infer\nlayout: qserv-340-3\nruns: [w_2026_24]\ntables:\n"
        "  Object: {files: ['**/objectTable_tract/**/*.parq']}\n"
        f"  Stars: {{files: ['**/stars/**/*.parq'], optional: {str(optional).lower()}}}\n"
    )
    if optional:
        assert list(open_source(tmp_path).tables) == ["Object"]
        return
    with pytest.raises(UserError, match="table 'Stars': no file of the runs w_2026_24"):
        open_source(tmp_path)
