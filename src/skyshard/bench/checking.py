"""Answers against the oracle, after the run: each distinct statement is asked once, every kept answer compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from skyshard.bench.answers import compare_answers
from skyshard.bench.driver import Recording
from skyshard.bench.notify import Notify
from skyshard.bench.stats import WrongAnswer
from skyshard.bench.targets import Target

ASKERS = 4
"""Statements that the oracle is asked at a time."""


def check_answers(
    recording: Recording, oracle: Target | None, database: str, tell: Notify
) -> tuple[list[bool | None] | None, list[WrongAnswer]]:
    """Compare every kept answer with the oracle's; each distinct statement is asked once.

    Returns:
        For each sample True, False, or None where nothing was compared; and the statements that were answered
        wrongly or that the oracle could not answer.
    """
    if oracle is None:
        return None, []
    answer_ok: list[bool | None] = [None] * len(recording.samples)
    wrong: list[WrongAnswer] = []
    places: dict[str, list[int]] = {}
    for place, answer in enumerate(recording.answers):
        if answer is not None:
            places.setdefault(recording.samples[place].sql, []).append(place)
    truths = _ask_all(oracle, list(places), database)
    for done, (found, (truth, failure)) in enumerate(zip(places.values(), truths, strict=True), 1):
        if truth is not None:
            try:
                reasons = _compare(recording, found, truth)
            except Exception as error:  # a comparison that fails must not cost the trial: it says so
                truth, failure = None, f"not compared: {' '.join(str(error).split())}"
        if truth is None:
            reasons = dict.fromkeys(found, failure)
        for place in found:
            answer_ok[place] = None if truth is None else not reasons[place]
        if bad := [place for place in found if reasons[place]]:
            wrong.append(_wrong_answer(recording, bad, reasons[bad[0]], is_checked=truth is not None))
        tell("checking answers", done, len(places))
    return answer_ok, wrong


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
    """The true answer of each statement in order, or None and why there is none; a few are asked at a time."""

    def ask(sql: str) -> tuple[pa.Table | None, str]:
        try:
            return oracle.run(sql, database).table, ""
        except Exception as error:  # an oracle that fails leaves the answer unchecked, and says so
            return None, f"the oracle failed: {error}"

    askers = ThreadPoolExecutor(ASKERS, thread_name_prefix="bench-oracle")
    try:
        yield from askers.map(ask, statements)
    finally:
        askers.shutdown(wait=False, cancel_futures=True)


def _compare(recording: Recording, places: Sequence[int], truth: pa.Table) -> dict[int, str]:
    """The reason why each answer is wrong, empty where it is right."""
    kept = ((place, recording.answers[place]) for place in places)
    return {place: compare_answers(answer, truth).reason for place, answer in kept if answer is not None}
