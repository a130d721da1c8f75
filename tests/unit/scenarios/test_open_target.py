"""Targets by the names that commands give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.scenarios.open_target import open_target


@pytest.mark.parametrize("spec", ["oracle", "", "duckdb:", "lsdb:", "nosuch://host/db"])
def test_an_unknown_target_is_refused(spec: str, tmp_path: Path) -> None:
    """One line that says what can be named."""
    with pytest.raises(UserError) as caught:
        open_target(spec, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_url_needs_no_cluster(tmp_path: Path) -> None:
    """Any database that SQLAlchemy reaches is a target."""
    target = open_target(f"sqlite:///{tmp_path}/one.db", tmp_path / "none")
    assert target.run("SELECT 1", "").table.to_pydict() == {"c0": [1]}
    assert not (tmp_path / "none").exists()
    target.close()
