"""The site of the documentation builds without a warning, and needs no network to be read."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from skyshard.registry.stored.lifecycle import NEXT

ROOT = Path(__file__).resolve().parents[2]
MISSING = [name for name in ("furo", "grimp", "myst_parser", "sphinx") if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(MISSING), reason=f"the extra skyshard[docs] is not installed: {', '.join(MISSING)}"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-j", "auto"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    built = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(ROOT / "docs"), str(folder / "html")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    return folder / "html"


def test_every_page_is_in_the_site(site: Path) -> None:
    """And reached from the first one: a page in no table of contents is a warning, which ends the build."""
    pages = [page for page in (ROOT / "docs").rglob("*.md") if "examples" not in page.parts]
    for page in pages:
        assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).exists(), page


def test_nothing_is_fetched_when_a_page_is_read(site: Path) -> None:
    """Scripts, styles, fonts and pictures are all files of the site."""
    for page in site.rglob("*.html"):
        fetched = re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(?:https?:)?//[^"]+"', page.read_text())
        assert not fetched, page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", sheet.read_text()), sheet


def test_pictures_and_generated_pages_are_there(site: Path) -> None:
    """Packages and lifecycles as SVG, commands and public names as text; no mark is left unfilled."""
    assert (site / "explanation" / "packages.html").read_text().count('<svg class="layers"') >= 10
    assert (site / "reference" / "lifecycles.html").read_text().count('<svg class="layers"') == len(NEXT)
    assert "skyshard bench run" in (site / "reference" / "commands.html").read_text()
    assert "skyshard.Testbed" in (site / "reference" / "api.html").read_text()
    assert not any("generated:" in page.read_text() for page in site.rglob("*.html"))
