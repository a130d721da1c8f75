"""Settings whose effect is known, over the engines, on the sky ``tiny``: the example page of an experiment.

    python benchmarks/known_effects.py OUT [--page docs/examples/caches]

Runs ``queries/experiments/caches.yaml`` into OUT, or goes on with it, and copies the page, the text and the result.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

import skyshard
from skyshard.basics.progress import Progress
from skyshard.host.shipped_data import data_file


def tell(progress: Progress) -> None:
    if progress.note:
        print(progress.note, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--page", type=Path, default=Path("docs/examples/caches"))
    given = parser.parse_args()
    begun = time.monotonic()
    done = skyshard.run_experiment(data_file("queries", "experiments", "caches.yaml"), given.out, watcher=tell)
    given.page.mkdir(parents=True, exist_ok=True)
    for suffix in (".html", ".md", ".json"):
        shutil.copy(done.page.with_suffix(suffix), given.page)
    print(f"{done.result.conclusion}\n{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
