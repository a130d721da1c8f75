"""Trials of visits against a store in memory: answers, failures, going on, reading only."""

import _thread
from pathlib import Path

import pyarrow.compute as pc
import pytest
from tests.support.naive_visit_store import NaiveStore
from tests.support.small_visits import asked, small_workload

from skyshard.apdb.model import Reading, Receipt, TileRows
from skyshard.basics.errors import ClusterError, UserError
from skyshard.bench.pages.visit_page import write_visit_report
from skyshard.bench.record.visit_trial import read_visit_trial
from skyshard.bench.trial.run_visits import ProcessesAsked, changed, run_visits
from skyshard.bench.trial.trial_setup import TrialWatch
from skyshard.bench.visits.visit_record import UNFINISHED
from skyshard.chunking.sphere import Polygon

SHORT = {"count": 10, "history": {"months": 3, "visits_per_month": 2}}
"""Ten visits of two fields: the history is full at the seventh, and its oldest months are dropped."""


class StoppingStore(NaiveStore):
    """Fails in the store of one tile; then nobody can ask what it holds, if ``is_gone``."""

    def __init__(self, visit: int, error: Exception | None, *, is_gone: bool = False) -> None:
        """``error`` None: presses Ctrl-C."""
        super().__init__()
        self._visit, self._error, self._is_gone = visit, error, is_gone

    def store(self, rows: TileRows) -> Receipt:
        if rows.tile.id.visit == self._visit and rows.tile.id.detector == 2:
            if self._error is not None:
                raise self._error
            _thread.interrupt_main()
        return super().store(rows)

    def open_session(self) -> NaiveStore:
        if self._is_gone and (self._visit, 0) in self.tiles:
            raise ClusterError("nobody is there")
        return super().open_session()


class LookedAwayStore(NaiveStore):
    """What another one holds; presses Ctrl-C at one of its reads of objects."""

    def __init__(self, held: NaiveStore, read: int) -> None:
        super().__init__()
        self.tables, self.tiles, self._left = held.tables, held.tiles, read

    def read_objects(self, region: Polygon) -> Reading:
        self._left -= 1
        if not self._left:
            _thread.interrupt_main()
        return super().read_objects(region)


class ForgetfulStore(NaiveStore):
    """The first reply to the store of one tile is lost."""

    def __init__(self, visit: int) -> None:
        super().__init__()
        self._visit, self._has_forgotten = visit, False

    def store(self, rows: TileRows) -> Receipt:
        receipt = super().store(rows)
        if (rows.tile.id.visit, rows.tile.id.detector) == (self._visit, 2) and not self._has_forgotten:
            self._has_forgotten = True
            raise ClusterError("the reply was lost", remedy="try again")
        return receipt


def whole(store: NaiveStore) -> NaiveStore:
    """The same rows in a store that works."""
    found = NaiveStore()
    found.tables, found.tiles = store.tables, store.tiles
    return found


def test_all_tiles_are_stored_and_all_answers_are_right(tmp_path: Path) -> None:
    """Every visit has its tiles, operations and a driver's row; every tile was compared."""
    store = NaiveStore()
    result = run_visits(asked(tmp_path / "out", small_workload(SHORT | {"overlap": 2})), store, TrialWatch())
    assert result.summary.failures == []
    assert len(store.tiles) == 10 * 4
    trial = read_visit_trial(tmp_path / "out")
    (phase,) = trial.summary.phases
    assert (phase.visits, phase.compared, phase.wrong, phase.lost) == (10, 40, 0, 0)
    kinds = set(trial.samples["kind"].to_pylist())
    assert {"select", "insert", "tile", "driver", "drop"} <= kinds
    assert {one.name for one in trial.beside} == {"drop DiaSource", "drop DiaForcedSource"}
    assert not trial.manifest.is_partial
    assert not (tmp_path / "out" / UNFINISHED).exists()


def test_failed_tiles_are_tried_again_and_counted(tmp_path: Path) -> None:
    """Reads that fail, and stores whose reply is lost, are repeated; nothing is stored twice, no answer is wrong."""
    store = NaiveStore(failures=6)
    result = run_visits(asked(tmp_path / "out", small_workload(SHORT)), store, TrialWatch())
    (phase,) = result.summary.phases
    assert (phase.tries, phase.wrong, phase.lost) == (6, 0, 0)
    sources = store.tables["DiaSource"]["diaSourceId"].to_pylist()
    assert len(set(sources)) == len(sources)


def test_a_lost_row_fails_the_trial(tmp_path: Path) -> None:
    """Wrong answers are counted, told in words, and a failure of the trial."""
    store = NaiveStore()
    store.corrupt = "DiaSource"
    result = run_visits(asked(tmp_path / "out", small_workload(SHORT)), store, TrialWatch())
    assert "answered wrongly" in result.summary.failures[0]
    assert result.wrong[0].startswith("visit ")
    assert "DiaSource" in result.wrong[0]


def test_wrong_answers_pass_where_nothing_is_checked(tmp_path: Path) -> None:
    """check_answers: false compares nothing and says so."""
    store = NaiveStore()
    store.corrupt = "DiaSource"
    workload = small_workload({"count": 4}, check_answers=False)
    (phase,) = run_visits(asked(tmp_path / "out", workload), store, TrialWatch()).summary.phases
    assert (phase.compared, phase.wrong) == (0, 0)


def test_a_trial_whose_store_is_gone_goes_on_at_its_last_visit(tmp_path: Path) -> None:
    """The error is the server's; afterwards the visit that was cut is completed, and no answer is wrong."""
    out, workload = tmp_path / "out", small_workload(SHORT | {"retry_s": 0})
    store = StoppingStore(7, ClusterError("all servers are gone"), is_gone=True)
    with pytest.raises(ClusterError, match="all servers are gone"):
        run_visits(asked(out, workload), store, TrialWatch())
    assert 6 * 4 <= len(store.tiles) < 7 * 4
    result = run_visits(asked(out, workload, resumes=True), whole(store), TrialWatch())
    assert result.summary.phases[0].wrong == 0
    assert len(store.tiles) == 10 * 4
    assert read_visit_trial(out).manifest.driver["resumed"] == 1


def test_an_interrupted_trial_has_its_numbers_and_goes_on(tmp_path: Path) -> None:
    """Ctrl-C ends it between two visits: partial, readable; then every visit has its samples."""
    out, workload, store = tmp_path / "out", small_workload(SHORT), StoppingStore(7, None)
    assert run_visits(asked(out, workload), store, TrialWatch()).summary.is_partial
    assert 6 <= read_visit_trial(out).summary.phases[0].visits < 10
    result = run_visits(asked(out, workload, resumes=True), whole(store), TrialWatch())
    assert (result.summary.phases[0].visits, result.summary.phases[0].wrong) == (10, 0)
    assert not result.summary.is_partial


def test_a_torn_record_keeps_its_whole_visits(tmp_path: Path) -> None:
    """A file of samples that ends in the middle of a batch loses that batch only."""
    out, workload, store = tmp_path / "out", small_workload(SHORT), StoppingStore(7, ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        run_visits(asked(out, workload), store, TrialWatch())
    torn = (out / UNFINISHED).read_bytes()
    (out / UNFINISHED).write_bytes(torn[: len(torn) * 2 // 3])
    result = run_visits(asked(out, workload, resumes=True), whole(store), TrialWatch())
    assert 4 <= result.summary.phases[0].visits < 10
    assert result.summary.phases[0].wrong == 0
    [lost] = [one for one in result.summary.odd if "samples were lost" in one.what]
    tiles = read_visit_trial(out).samples
    assert lost.count == 10 * 4 - pc.sum(pc.equal(tiles["kind"], "tile")).as_py()


def test_visits_only_read_what_an_earlier_trial_stored(tmp_path: Path) -> None:
    """--no-update goes on after the newest stored visit, and changes nothing."""
    store, workload = NaiveStore(), small_workload(SHORT)
    run_visits(asked(tmp_path / "filled", workload), store, TrialWatch())
    before = len(store.tiles)
    reading = changed(workload, visits=5, reads_only=True)
    result = run_visits(asked(tmp_path / "read", reading), store, TrialWatch())
    assert (result.summary.phases[0].visits, result.summary.phases[0].wrong) == (5, 0)
    assert result.summary.phases[0].compared == 20
    assert len(store.tiles) == before
    samples = read_visit_trial(tmp_path / "read").samples
    assert pc.min(samples["visit"]).as_py() == 11


def test_visits_that_only_read_are_measured_once_by_a_trial_that_is_gone_on_with(tmp_path: Path) -> None:
    """What a store holds does not tell which were done: the trial's own samples do."""
    filled, out, workload = NaiveStore(), tmp_path / "out", small_workload(SHORT)
    run_visits(asked(tmp_path / "filled", workload), filled, TrialWatch())
    reading, store = changed(workload, visits=8, reads_only=True), LookedAwayStore(filled, 4 * 3)
    assert run_visits(asked(out, reading), store, TrialWatch()).summary.is_partial
    before = pc.count_distinct(read_visit_trial(out).samples["visit"]).as_py()
    assert 3 <= before < 8
    (phase,) = run_visits(asked(out, reading, resumes=True), filled, TrialWatch()).summary.phases
    assert (phase.visits, phase.compared, phase.wrong) == (8, 4 * 8, 0)


def test_a_trial_goes_on_with_as_many_processes_as_before(tmp_path: Path) -> None:
    """Another number is refused: a trial whose clients change on the way is no measurement."""
    store, out, workload = StoppingStore(3, None), tmp_path / "out", small_workload({"count": 4})
    run_visits(asked(out, workload), store, TrialWatch(), processes=ProcessesAsked(NaiveStore, 0))
    again = asked(out, workload, resumes=True)
    with pytest.raises(UserError, match="has another number of processes"):
        run_visits(again, whole(store), TrialWatch(), processes=ProcessesAsked(NaiveStore, 2))
    run_visits(again, whole(store), TrialWatch(), processes=ProcessesAsked(NaiveStore))
    assert read_visit_trial(out).manifest.driver["runtime"] == "threads"


def test_phases_go_on_on_one_sky(tmp_path: Path) -> None:
    """Visits are numbered through; a phase that reads leaves the next one's answers right."""
    workload = small_workload({"count": 8}, {"count": 3, "update": False}, {"count": 4, "read_duty_cycle": 0.0})
    store = NaiveStore()
    result = run_visits(asked(tmp_path / "out", workload), store, TrialWatch())
    assert [one.visits for one in result.summary.phases] == [8, 3, 4]
    assert result.summary.failures == []
    assert {visit for visit, _ in store.tiles} == {*range(1, 9), *range(12, 16)}
    samples = read_visit_trial(tmp_path / "out").samples
    last = samples.filter(pc.equal(samples["phase"], "visits2"))
    assert "DiaSource" not in last.filter(pc.equal(last["kind"], "select"))["table"].to_pylist()


def test_a_tile_that_is_given_up_is_missing_ever_after(tmp_path: Path) -> None:
    """Its visit is lost and fails the trial; later answers know that it was never stored."""
    store = StoppingStore(5, ClusterError("this tile never works"))
    result = run_visits(asked(tmp_path / "out", small_workload(SHORT | {"retry_s": 0})), store, TrialWatch())
    (phase,) = result.summary.phases
    assert (phase.visits, phase.lost, phase.wrong) == (9, 1, 0)
    assert read_visit_trial(tmp_path / "out").manifest.driver["tiles_given_up"] == 1
    assert [one.sentence for one in result.summary.odd] == ["1 tile given up: visit 5, detector 2"]
    assert "1 tile given up: visit 5, detector 2" in write_visit_report(tmp_path / "out").read_text()
    assert "1 tile given up: visit 5, detector 2" in (tmp_path / "out" / "report.md").read_text()


def test_a_tile_whose_reply_was_lost_is_named(tmp_path: Path) -> None:
    """Its second try finds it stored: twice sent, once there."""
    store = ForgetfulStore(visit=2)
    result = run_visits(asked(tmp_path / "out", small_workload({"count": 4})), store, TrialWatch())
    [again] = [one for one in result.summary.odd if "stored already" in one.what]
    assert again.count == read_visit_trial(tmp_path / "out").manifest.driver["stores_found_done"] == 1
    assert list(again.named) == ["visit 2, detector 2"]
    assert len(store.tiles) == 16


def test_a_clock_that_went_back_is_refused(tmp_path: Path) -> None:
    """What the store holds of a visit must be of the visit's time."""
    store, out, workload = StoppingStore(3, None), tmp_path / "out", small_workload({"count": 4})
    run_visits(asked(out, workload), store, TrialWatch())
    held = whole(store)
    held.tiles[(2, 1)] -= 0.5
    with pytest.raises(UserError, match=r"1 tile at another time than the workload has them.*: visit 2, detector 1"):
        run_visits(asked(out, workload, resumes=True), held, TrialWatch())


def test_other_stores_and_folders_are_refused(tmp_path: Path) -> None:
    """A store with visits for a new trial, a folder of another workload, an ended trial, visits of another sky."""
    store, workload = NaiveStore(), small_workload({"count": 4})
    run_visits(asked(tmp_path / "out", workload), store, TrialWatch())
    with pytest.raises(UserError, match="holds 16 tiles already, up to visit 4"):
        run_visits(asked(tmp_path / "new", workload), store, TrialWatch())
    with pytest.raises(UserError, match="has ended"):
        run_visits(asked(tmp_path / "out", workload, resumes=True), store, TrialWatch())
    fewer = small_workload({"count": 2, "tiles": 1, "update": False})
    with pytest.raises(
        UserError, match="12 tiles which the workload does not have: visit 1, detector 1; visit 1, detector 2"
    ):
        run_visits(asked(tmp_path / "other", fewer), store, TrialWatch())
    with pytest.raises(UserError, match="name the folder of a trial"):
        run_visits(asked(tmp_path / "nowhere", workload, resumes=True), store, TrialWatch())


def test_actions_run_beside_visits_and_failures_are_told(tmp_path: Path) -> None:
    """Each begins every so many visits; what it read, and why it failed, is in the folder; unknown ones are refused."""
    beside = [{"action": "scan", "every": 5}, {"action": "fail", "every": 8, "first": 2}]
    workload = small_workload(SHORT | {"beside": beside, "drop_months": False})

    def fail(_: float) -> int:
        raise ClusterError("no")

    with pytest.raises(UserError, match="store naive has no action 'fail' beside visits"):
        run_visits(asked(tmp_path / "none", workload), NaiveStore(), TrialWatch(), {"scan": int})
    run_visits(asked(tmp_path / "out", workload), NaiveStore(), TrialWatch(), {"scan": lambda _: 7, "fail": fail})
    found = read_visit_trial(tmp_path / "out").beside
    assert {(one.name, one.rows, one.error) for one in found} == {("scan", 7, ""), ("fail", 0, "no")}
    assert sum(one.name == "fail" for one in found) == 2
