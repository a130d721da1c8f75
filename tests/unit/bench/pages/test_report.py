"""The report: one page, made from the trial folder and from nothing else."""

import html.parser
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.support.null_trials import WORKLOAD, Oracle, trial

from skyshard.bench.pages.report import write_report
from skyshard.bench.record.latency_stats import TrialSummary
from skyshard.bench.record.samples import SAMPLE_SCHEMA
from skyshard.bench.record.trial_manifest import TrialManifest

pytestmark = pytest.mark.timeout(20)  # drawing takes a second, and several on a busy machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good trial with everything in it."""
    out = tmp_path_factory.mktemp("trial")
    trial(out, oracle=Oracle(), has_page=True)
    return out


def test_a_trial_folder_holds_manifest_samples_summary_and_report(folder: Path) -> None:
    """All files are there, valid, and agree on the number of samples."""
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "manifest.json", "samples.parquet", "statements.parquet", "summary.json", "skymap.parquet", "report.html",
        "report.md", "histograms.hlog", "telemetry.parquet",
    }  # fmt: skip
    manifest = TrialManifest.model_validate_json((folder / "manifest.json").read_text())
    summary = TrialSummary.model_validate_json((folder / "summary.json").read_text())
    samples = pq.read_table(folder / "samples.parquet")
    assert (manifest.workload, manifest.seed, manifest.oracle) == (WORKLOAD, 5, "mono")
    assert manifest.environment.cores >= 1
    assert samples.schema.equals(SAMPLE_SCHEMA, check_metadata=True)
    assert (summary.n, summary.warm_ups, samples.num_rows) == (24, 2, 26)
    assert summary.is_passed


def test_the_report_asks_nothing_of_the_network(folder: Path) -> None:
    """No address, script, link or import: the page is whole in itself."""
    page = (folder / "report.html").read_text()
    assert "http:" not in page
    assert "https:" not in page
    assert not re.search(r"<script|<link|<iframe|@import|<img(?! src=\"data:)", page)
    assert all(target.startswith(("#", "data:image/png;")) for target in re.findall(r"(?:href|src)=\"([^\"]*)\"", page))
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


class Reader(html.parser.HTMLParser):
    """Collects ids, and figures with their titles."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str | None] = []
        self.labels: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "svg" and found.get("role") == "img":
            self.labels.append(found["aria-label"] or "")


def test_every_figure_has_a_text_and_every_id_is_unique(folder: Path) -> None:
    """Four figures in two widths, each with a text for screen readers; references within the page are not ambiguous."""
    reader = Reader()
    page = (folder / "report.html").read_text()
    reader.feed(page)
    assert len(reader.labels) in (12, 14)  # with latency under load, when queries happened to overlap
    assert all(len(label) > 20 for label in reader.labels)
    assert len(set(reader.ids)) == len(reader.ids)
    assert set(re.findall(r"href=\"#([^\"]*)\"", page)) <= set(reader.ids)


def test_stand_in_colours_do_not_reach_the_page(folder: Path) -> None:
    """Every colour of the figures is a variable of the page."""
    page = (folder / "report.html").read_text().lower()
    assert not re.search(r"#0[1-5]0[1-5]0[1-5]\b|#0a0a0\d", page)
    assert "dejavu sans'" not in page


def test_texts_of_the_user_are_escaped(folder: Path) -> None:
    """A description with mark-up stays text."""
    page = (folder / "report.html").read_text()
    assert "&lt;b&gt;of&lt;/b&gt;" in page


def test_a_report_is_made_again_from_the_folder_alone(folder: Path, tmp_path: Path) -> None:
    """A copy of the files without the page gives the same page."""
    for path in folder.iterdir():
        if path.name != "report.html":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert write_report(tmp_path).read_text() == (folder / "report.html").read_text()
