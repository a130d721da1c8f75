"""A trial measures, checks and fails as it should; what it leaves is read back."""

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.null_trials import Oracle, trial

from skyshard.basics.errors import ClusterError, UserError
from skyshard.bench.check.true_answers import TrueAnswer, TrueAnswers
from skyshard.bench.pages.report import verdict_sentence, write_report
from skyshard.bench.record.trial_folder import read_trial
from skyshard.bench.target import NullTarget, TargetAnswer
from skyshard.bench.trial.trial_setup import CatalogFacts

pytestmark = pytest.mark.timeout(20)  # drawing takes a second, and several on a busy machine


NO_SKY = CatalogFacts()
"""What the trials do not look at need not be drawn."""


class Calm(NullTarget):
    """Takes a while, beside which the driver's own delay is little."""

    def run(self, sql: str, database: str) -> TargetAnswer:
        time.sleep(0.02)
        return super().run(sql, database)


class Wrong(NullTarget):
    """Answers one template wrongly."""

    name = "czar"

    def run(self, sql: str, database: str) -> TargetAnswer:
        answer = super().run(sql, database)
        return type(answer).of(pa.table({"one": [2]})) if "chunkId" in sql else answer


class Broken(NullTarget):
    """Fails on everything."""

    def run(self, sql: str, database: str) -> TargetAnswer:
        raise ClusterError("node <2> is gone", remedy="start it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good trial without its page."""
    out = tmp_path_factory.mktemp("trial")
    trial(out, oracle=Oracle())
    return out


def test_a_wrong_answer_is_counted_listed_and_fails_the_trial(tmp_path: Path) -> None:
    """The statement, its template and the reason stand in summary and report."""
    summary = trial(tmp_path, Wrong(), Oracle(), NO_SKY, has_page=True)
    assert [(one.class_name, one.wrong) for one in summary.classes] == [("LV", 0), ("LV", 0), ("FTSObj", 2)]
    assert [one.template for one in summary.wrong_answers] == ["FTSObj/density"]
    assert not summary.is_passed
    page = (tmp_path / "report.html").read_text()
    assert "Failed: FTSObj (mixed): 2 of 4 answers are wrong." in page
    assert "1 of 1 rows differ" in page
    samples = pq.read_table(tmp_path / "samples.parquet")
    assert samples["answer_ok"].to_pylist().count(False) == 2


def test_a_target_that_always_fails_still_leaves_a_report(tmp_path: Path) -> None:
    """No answer at all: every query is an error, nothing is divided by zero, and the reason is shown escaped."""
    summary = trial(tmp_path, Broken(), Oracle(), NO_SKY, has_page=True)
    assert sum(one.errors for one in summary.classes) == summary.n == 24
    assert all(one.latency is None for one in summary.classes)
    assert "node &lt;2&gt; is gone; start it" in (tmp_path / "report.html").read_text()


def test_an_oracle_that_fails_leaves_answers_unchecked_and_the_trial_failed(tmp_path: Path) -> None:
    """Unchecked is not equal."""
    summary = trial(tmp_path, NullTarget(), Broken(), NO_SKY)
    assert sum(one.unchecked for one in summary.classes) == 24
    assert not summary.is_passed


def test_an_answer_that_the_generator_does_not_know_fails_although_oracle_and_target_agree(tmp_path: Path) -> None:
    """Two oracles: what both engines say alike is still compared with what is known, number for number."""
    sql = "SELECT MIN(ra), MAX(ra), MIN(decl), MAX(decl) FROM Object"
    for count, passes in ((1, True), (2, False)):
        truth = TrueAnswers.of({f" {sql} ": TrueAnswer(pa.table({"n": [count]}))}, lambda sql: None)
        summary = trial(tmp_path / str(count), Calm(), Oracle(), NO_SKY, truth)
        assert summary.is_passed == passes
        manifest = read_trial(tmp_path / str(count)).manifest
        asked = [one.sql for one in read_trial(tmp_path / str(count)).summary.wrong_answers]
        assert asked == ([] if passes else [sql])
        assert manifest.known_answers > 0


def test_without_oracle_the_verdict_says_so(tmp_path: Path) -> None:
    """A pass without comparison does not claim right answers; what a busy machine adds about the driver comes after."""
    trial(tmp_path, Calm(), catalog=NO_SKY)
    sentence = verdict_sentence(read_trial(tmp_path))
    assert sentence.startswith("Passed: 24 queries, answers not checked, every class within its target.")


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    """A trial never overwrites."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not an empty folder"):
        trial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("damage", ["manifest.json", "summary.json", "samples.parquet", "statements.parquet"])
def test_a_damaged_trial_folder_is_refused_in_one_line(folder: Path, tmp_path: Path, damage: str) -> None:
    """A missing or torn file is named."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / damage).write_bytes(b"{}")
    with pytest.raises(UserError) as caught:
        write_report(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_ctrl_c_while_checking_leaves_a_partial_trial(tmp_path: Path) -> None:
    """What was measured is kept, nothing counts as checked, and the trial does not pass."""

    class Interrupting(NullTarget):
        def run(self, sql: str, database: str) -> TargetAnswer:
            raise KeyboardInterrupt

    summary = trial(tmp_path, NullTarget(), Interrupting(), NO_SKY)
    assert summary.is_partial
    assert not summary.is_passed
    assert sum(one.unchecked for one in summary.classes) == summary.n == 24
    assert "Stopped early" in verdict_sentence(read_trial(tmp_path))
