"""Answers are compared after the run: with an oracle, with what the generator knows, with both."""

from __future__ import annotations

import pyarrow as pa

from skyshard.basics.progress import Progress, unwatched
from skyshard.bench.check.check_answers import AnswerCheck, check_answers
from skyshard.bench.check.true_answers import TrueAnswer, TrueAnswers
from skyshard.bench.drive.driver import Recording
from skyshard.bench.record.samples import Sample
from skyshard.bench.target import NullTarget, Target, TargetAnswer


def number(value: int) -> pa.Table:
    return pa.table({"n": [value]})


def recorded(*answers: tuple[str, int | None]) -> Recording:
    """One sample for each (statement, its answer); None: no answer was kept."""
    samples = [Sample("p", "C", "C/t", sql, 0, False, 0.0, 0.0, None, 1.0, 0.0) for sql, _ in answers]
    return Recording(samples, [None if value is None else number(value) for _, value in answers])


class Oracle(NullTarget):
    """Answers 1 to everything, and counts what it is asked."""

    name = "oracle"

    def __init__(self) -> None:
        super().__init__(number(1))
        self.asked: list[str] = []

    def run(self, sql: str, database: str) -> TargetAnswer:
        self.asked.append(sql)
        if sql == "broken":
            raise ConnectionError("gone")
        return super().run(sql, database)


def check(recording: Recording, oracle: Target | None = None, **known: int) -> AnswerCheck:
    truth = TrueAnswers.of({sql: TrueAnswer(number(value)) for sql, value in known.items()}, lambda sql: None)
    return check_answers(recording, oracle, "d", unwatched, truth if known else None)


def test_the_oracle_is_asked_each_distinct_statement_once() -> None:
    """Three answers to two statements: two questions, three verdicts, in the order of the samples."""
    oracle = Oracle()
    found = check(recorded(("a", 1), ("b", 2), ("a", 3)), oracle)
    assert sorted(oracle.asked) == ["a", "b"]
    assert found.answer_ok == [True, False, False]
    assert [(one.sql, one.samples, one.is_checked) for one in found.wrong] == [("a", 1, True), ("b", 1, True)]
    assert found.oracle == "oracle"


def test_without_anyone_to_ask_nothing_is_checked() -> None:
    """Not right, not wrong: unchecked."""
    assert check(recorded(("a", 1))) == AnswerCheck()


def test_an_answer_that_was_not_kept_is_unchecked() -> None:
    """Failed queries and answers beyond the budget have no verdict, and the oracle is not asked for them."""
    oracle = Oracle()
    assert check(recorded(("a", None), ("b", 1)), oracle).answer_ok == [None, True]
    assert oracle.asked == ["b"]


def test_an_oracle_that_fails_leaves_its_statement_unchecked_and_says_why() -> None:
    """The other statements are compared all the same."""
    found = check(recorded(("broken", 1), ("b", 1)), Oracle())
    assert found.answer_ok == [None, True]
    assert [(one.reason, one.is_checked) for one in found.wrong] == [("the oracle failed: gone", False)]


def test_what_the_generator_knows_overrules_the_oracle() -> None:
    """Both engines say 1, the truth is 2: wrong. Where the oracle says wrong, a right truth does not help."""
    found = check(recorded(("a", 1), ("b", 2)), Oracle(), a=2, b=2)
    assert found.answer_ok == [False, False]
    assert found.known == 2
    assert [one.sql for one in found.wrong] == ["b", "a"]
    assert "the generator knows better" in found.wrong[-1].reason


def test_the_generator_alone_checks_what_it_knows() -> None:
    """The rest stays unchecked; without a single known answer nothing counts as compared."""
    found = check(recorded(("a", 1), ("b", 1)), None, a=1)
    assert (found.answer_ok, found.known, found.oracle) == ([True, None], 1, "")
    assert check(recorded(("b", 1)), None, a=1).answer_ok is None


def test_progress_counts_statements() -> None:
    """One report for each distinct statement."""
    seen: list[Progress] = []
    check_answers(recorded(("a", 1), ("b", 1), ("a", 1)), Oracle(), "d", seen.append)
    assert [(one.stage, one.done, one.total) for one in seen] == [
        ("checking answers", 1, 2),
        ("checking answers", 2, 2),
    ]
