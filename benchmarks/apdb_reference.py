"""Visits of an alert production database beside its reference, lsst-dax-apdb: the same rows, and the time of each.

    python -m venv dax && dax/bin/pip install lsst-dax-apdb pyarrow
    export SKYSHARD_DAX_APDB=dax/bin/python
    python benchmarks/apdb_reference.py [--visits 12]

The reference is a program of its own (GPL-3), in an environment of its own; it runs on SQLite, a process a tile, with
its own pixels (HTM, level 20). All answers of all stores are compared with what the sky's seed says; a wrong one ends
this with exit code 1. Times are of visits of four tiles side by side, in turns on one machine:

visit_ms, reads_ms, store_ms   medians; the latter two are of a visit's slowest tile
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.apdb_reference import ReferenceStore

from skyshard.apdb.model import VisitStore
from skyshard.apdb.stores.open_store import open_store
from skyshard.bench.trial.run_visits import VisitsAsked, changed, run_visits
from skyshard.bench.trial.trial_setup import TrialWatch
from skyshard.bench.workload.workload import find_workload, read_workload

SERIES = {"visit_ms": "visit", "reads_ms": "select", "store_ms": "store"}


def opened(name: str, folder: Path) -> VisitStore:
    if name == "reference":
        return ReferenceStore(folder)
    return open_store(f"{name}:{folder / 'store'}")


def measured(name: str, folder: Path, visits: int) -> dict[str, Any]:
    """Run the visits against a new store, and take the medians of its summary."""
    folder.mkdir()
    workload = changed(read_workload(find_workload("apdb-quick")), visits=visits, reads_only=False)
    store = opened(name, folder)
    try:
        result = run_visits(VisitsAsked(workload, f"{name}:", folder / "trial", workload.seed), store, TrialWatch())
    finally:
        store.close()
    (phase,) = result.summary.phases
    found = {one.kind: one for one in phase.series if not one.table}
    times = {key: round(1000 * found[kind].quantiles_s[2], 1) for key, kind in SERIES.items()}
    return {"store": name, "visits": phase.visits, "compared": phase.compared, "wrong": phase.wrong, **times}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=12)
    parser.add_argument("--stores", default="sqlite,mariadb")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [measured(name, Path(folder) / name, given.visits) for name in ("reference", *given.stores.split(","))]
    for one in found:
        print("  ".join(f"{key} {value}" for key, value in one.items()), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    return int(any(one["wrong"] for one in found))


if __name__ == "__main__":
    sys.exit(main())
