"""Compares a trial's answers with the oracle's after the run: each distinct statement is sent to the oracle once.

Where the generator of the catalog knows the answer too, that is compared as well: both must agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pyarrow as pa

from skyshard.basics.progress import Stage, Watcher
from skyshard.bench.check.compare_answers import compare_answers
from skyshard.bench.check.true_answers import NAME, TrueAnswers
from skyshard.bench.drive.driver import Recording
from skyshard.bench.record.latency_stats import WrongAnswer
from skyshard.bench.target import Target

ASKERS = 4
"""Statements that are sent to the oracle at the same time."""


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """What the comparison found.

    ``answer_ok`` holds True, False or None (not compared) for each sample; it is None as a whole where there was
    nothing to compare with. ``wrong`` lists the statements that were answered wrongly or could not be compared,
    ``oracle`` is the name of the engine that was asked, and ``known`` counts the answers compared with the generator's.
    ``is_stopped``: Ctrl-C came before the end, and nothing counts as compared.
    """

    answer_ok: list[bool | None] | None = None
    wrong: Sequence[WrongAnswer] = ()
    oracle: str = ""
    known: int = 0
    is_stopped: bool = False


def check_answers(
    recording: Recording, oracle: Target | None, database: str, watcher: Watcher, truth: TrueAnswers | None = None
) -> AnswerCheck:
    """Compare every kept answer with the oracle's, and with what the generator knows."""
    places: dict[str, list[int]] = {}
    for place, answer in enumerate(recording.answers):
        if answer is not None:
            places.setdefault(recording.samples[place].sql, []).append(place)
    checked = AnswerCheck() if oracle is None else _by_oracle(recording, places, oracle, database, watcher)
    return checked if truth is None else _by_truth(recording, places, truth, checked)


def _by_truth(
    recording: Recording, places: Mapping[str, list[int]], truth: TrueAnswers, checked: AnswerCheck
) -> AnswerCheck:
    """Add what the generator knows; an answer that it does not confirm is wrong, whatever the oracle said."""
    found = list(checked.answer_ok or [None] * len(recording.samples))
    wrong, known = list(checked.wrong), 0
    for sql, samples in places.items():
        if (answer := truth.answer(sql)) is None:
            continue
        kept = ((place, recording.answers[place]) for place in samples)
        reasons = {place: answer.difference(table) for place, table in kept if table is not None}
        known += len(reasons)
        for place, reason in reasons.items():
            found[place] = not reason and found[place] is not False
        if bad := [place for place in samples if reasons.get(place)]:
            wrong.append(_wrong_answer(recording, bad, f"{NAME} knows better: {reasons[bad[0]]}", is_checked=True))
    return replace(checked, answer_ok=found if known else checked.answer_ok, wrong=wrong, known=known)


def _by_oracle(
    recording: Recording, places: Mapping[str, list[int]], oracle: Target, database: str, watcher: Watcher
) -> AnswerCheck:
    """Compare with the oracle's answers; each distinct statement is sent once."""
    answer_ok: list[bool | None] = [None] * len(recording.samples)
    wrong: list[WrongAnswer] = []
    stage = Stage(watcher, "checking answers", len(places))
    truths = _ask_all(oracle, list(places), database)
    for done, (found, (truth, failure)) in enumerate(zip(places.values(), truths, strict=True), 1):
        if truth is not None:
            try:
                reasons = _compare(recording, found, truth)
            except Exception as error:  # a comparison that fails is reported; it must not end the trial
                truth, failure = None, f"not compared: {' '.join(str(error).split())}"
        if truth is None:
            reasons = dict.fromkeys(found, failure)
        for place in found:
            answer_ok[place] = None if truth is None else not reasons[place]
        if bad := [place for place in found if reasons[place]]:
            wrong.append(_wrong_answer(recording, bad, reasons[bad[0]], is_checked=truth is not None))
        stage.report(done)
    return AnswerCheck(answer_ok, wrong, oracle.name)


def _wrong_answer(recording: Recording, places: Sequence[int], reason: str, *, is_checked: bool) -> WrongAnswer:
    sample = recording.samples[places[0]]
    return WrongAnswer(
        phase=sample.phase,
        class_name=sample.class_name,
        template=sample.template,
        sql=sample.sql,
        reason=reason,
        samples=len(places),
        is_checked=is_checked,
    )


def _ask_all(oracle: Target, statements: Sequence[str], database: str) -> Iterator[tuple[pa.Table | None, str]]:
    """The oracle's answer to each statement in order, or None with the reason; ``ASKERS`` are sent at a time."""

    def ask(sql: str) -> tuple[pa.Table | None, str]:
        try:
            return oracle.run(sql, database).table, ""
        except Exception as error:  # the answer stays unchecked, and the reason is reported
            return None, f"the oracle failed: {error}"

    askers = ThreadPoolExecutor(ASKERS, thread_name_prefix="bench-oracle")
    try:
        yield from askers.map(ask, statements)
    finally:
        askers.shutdown(wait=False, cancel_futures=True)


def _compare(recording: Recording, places: Sequence[int], truth: pa.Table) -> dict[int, str]:
    """By place of the sample: why its answer is wrong; empty where it is right."""
    kept = ((place, recording.answers[place]) for place in places)
    return {place: compare_answers(answer, truth).reason for place, answer in kept if answer is not None}
