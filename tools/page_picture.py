"""A picture of the top of a page, made by a browser without a window; for README and documentation.

    python tools/page_picture.py demo/trial/report.html docs/images/report.png [--width 1085] [--height 1900]

Needs Chromium (`apt-get install chromium`), or what $CHROMIUM names. Colours are cut to 256, which keeps files small.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

COLOURS = 256
NAMES = ("chromium", "chromium-browser", "google-chrome")


def browser() -> str:
    """The browser's path."""
    found = os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        sys.exit("no Chromium is installed; install one (apt-get install chromium), or set CHROMIUM")
    return found


def take_picture(page: Path, out: Path, width: int, height: int) -> None:
    """Write the top of a page as a PNG, light, in a window of so many pixels."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        subprocess.run(
            [
                browser(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                f"--user-data-dir={folder}/profile", f"--window-size={width},{height}", f"--screenshot={shot}",
                page.resolve().as_uri(),
            ],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        with Image.open(shot) as image:
            image.convert("RGB").quantize(COLOURS).save(out, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1085)
    parser.add_argument("--height", type=int, default=1900)
    given = parser.parse_args()
    take_picture(given.page, given.out, given.width, given.height)
    print(f"{given.out}: {given.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
