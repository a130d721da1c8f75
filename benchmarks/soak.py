"""Endurance: a cluster of hosts under random faults, with ingests, compactions, drains and queries all the while.

    python benchmarks/soak.py [--minutes 30] [--nodes 3] [--seed 1] [--json FILE]

Hosts are namespaces of this machine (so as root), with TLS, passwords and Ray; two databases at level 2. It ends with
every check of `skyshard verify` good, each chunk at its level, every answer right, and nothing left over; memory and
open files of the last quarter are shown in times of the second one. Exit code 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.hosts import Lab
from tests.support.running_site import running_site
from tests.support.soak import Soaked, soak


def growth(found: Soaked) -> dict[str, float]:
    """Median of the last quarter in times of the second quarter's, by what was sampled."""
    quarter = len(found.samples) // 4
    if not quarter:
        return {}
    before, after = found.samples[quarter : 2 * quarter], found.samples[-quarter:]
    names = sorted({name for sample in found.samples for name in sample} - {"at_s"})
    medians = {name: [statistics.median(s.get(name, 0) for s in part) for part in (before, after)] for name in names}
    return {name: round(last / first, 3) for name, (first, last) in medians.items() if first}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with contextlib.closing(Lab()) as lab, running_site(lab, options.nodes) as site:
        found = soak(site, seconds=options.minutes * 60, seed=options.seed, log=lambda text: print(text, flush=True))
    figures: dict[str, object] = {**vars(found), "growth": growth(found)}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    for name in ("seconds", "right", "longest_s", "done", "again", "refused", "faults", "growth"):
        print(f"{name:<10} {figures[name]}")
    print(f"{'wrong':<10} {len(found.wrong)}")
    for one in found.wrong:
        print(f"  {one}")
    sys.exit(bool(found.wrong))


if __name__ == "__main__":
    main()
