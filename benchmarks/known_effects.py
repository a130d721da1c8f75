"""Settings whose effect is known, on the sky ``tiny``: the example pages of experiments.

    python benchmarks/known_effects.py OUT [--experiment caches] [--quick]

Runs ``queries/experiments/caches.yaml`` (four engines, two caches; five minutes on an idle machine) or ``pool.yaml``
into OUT, or goes on with it, and copies the page, the text and the result to docs/examples. Both pages anew:

    python benchmarks/known_effects.py /tmp/caches && python benchmarks/known_effects.py /tmp/pool --experiment pool

--quick takes the sky ``mini`` and copies nothing: whether it works from first to last, not what settings do.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

import yaml

import skyshard
from skyshard.basics.progress import Progress
from skyshard.host.shipped_data import data_file

PAGES = Path(__file__).parents[1] / "docs" / "examples"


def tell(progress: Progress) -> None:
    if progress.note:
        print(progress.note, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--experiment", choices=["caches", "pool"], default="caches")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    file = data_file("queries", "experiments", f"{given.experiment}.yaml")
    if given.quick:
        file = on_small_sky(file, given.out)
    begun = time.monotonic()
    done = skyshard.run_experiment(file, given.out, watcher=tell)
    if not given.quick:
        copy_pages(done.page, PAGES / given.experiment)
    print(f"{done.result.conclusion}\n{time.monotonic() - begun:.0f} s")


def on_small_sky(file: Path, out: Path) -> Path:
    """The same experiment on the sky ``mini``."""
    small = out.with_name(f"{out.name}-{file.name}")
    content = yaml.safe_load(file.read_text(encoding="utf-8")) | {"recipe": "mini"}
    small.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return small


def copy_pages(page: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in (".html", ".md", ".json"):
        shutil.copy(page.with_suffix(suffix), folder)


if __name__ == "__main__":
    main()
