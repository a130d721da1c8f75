"""The demo looks at its inputs before it starts anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.own_workload import own_workload

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Progress
from skyshard.scenarios.demo import MARK, run_demo

pytestmark = pytest.mark.timeout(60)  # a Felis schema takes seconds to read


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workload": "qick"}, "there is no workload 'qick'"),
        ({"recipe": "tinny"}, "no recipe 'tinny'"),
        ({"recipe": "dr1"}, "GB with its copies"),
        ({"nodes": 0}, "a cluster of 0 nodes"),
        ({"out": "file"}, "cannot write"),
        ({"out": "file/below"}, "cannot write"),
        ({"out": "full"}, "holds something else"),
        ({"workload": "bad"}, "a.sql', line 5: division by zero"),
        ({"workload": "unclaimed"}, "makes nothing that workload 'w' could ask for"),
    ],
)
def test_the_demo_starts_nothing_with_a_wrong_input(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """One line, before there is a cluster, and an earlier demo's folder is as it was."""
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    old = tmp_path / "demo"
    old.mkdir()
    (old / MARK).touch()
    bodies = {"bad": "SELECT {{ id }}, {{ 1/0 }}", "unclaimed": "-- schemas: [kpm]\nSELECT {{ id }}"}
    files = {name: str(own_workload(tmp_path / name, body)) for name, body in bodies.items()}
    options: dict[str, Any] = {"recipe": "tiny", "workload": "quick", "nodes": 2} | {
        k: v for k, v in change.items() if k != "out"
    }
    options["workload"] = files.get(options["workload"], options["workload"])
    seen: list[Progress] = []
    with pytest.raises(UserError) as caught:
        run_demo(tmp_path / change["out"] if "out" in change else old, runtime="inline", watcher=seen.append, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert seen == []
    assert [path.name for path in old.iterdir()] == [MARK]
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
