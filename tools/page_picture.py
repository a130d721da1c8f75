"""A picture of the top of a page, made by a browser without a window; for README and documentation.

    python tools/page_picture.py demo/trial/report.html docs/images/report.png [--width 1085] [--height 1900]
    python tools/page_picture.py http://127.0.0.1:8042/ui/ docs/images/page.png --height 1720 --seconds 8 [--dark]

A page is a file, or one that `skyshard serve` shows, which is looked at after some seconds, as its content comes later.
Needs Chromium (`apt-get install chromium`), or what $CHROMIUM names. Colours are cut to 256, which keeps files small.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.browser import Scheme, chromium, open_browser

COLOURS = 256


def take_picture(page: str, out: Path, width: int, height: int, seconds: float, scheme: Scheme = "light") -> None:
    """Write the top of a page as a PNG, as a window of so many pixels shows it."""
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        shot = Path(folder) / "shot.png"
        browser.look(width, height, scheme)
        browser.open(page)
        time.sleep(seconds)
        browser.picture(shot)
        with Image.open(shot) as image:
            image.convert("RGB").quantize(COLOURS).save(out, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", help="a file, or an address that begins with http")
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1085)
    parser.add_argument("--height", type=int, default=1900)
    parser.add_argument("--seconds", type=float, default=0.5, help="until the picture is taken")
    parser.add_argument("--dark", action="store_true")
    given = parser.parse_args()
    if chromium() is None:
        sys.exit("no Chromium is installed; install one (apt-get install chromium), or set CHROMIUM")
    page = given.page if given.page.startswith("http") else Path(given.page).resolve().as_uri()
    take_picture(page, given.out, given.width, given.height, given.seconds, "dark" if given.dark else "light")
    print(f"{given.out}: {given.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
