"""Answers that the generator of a catalog knows, without asking an engine. No I/O.

Two statements count as the same when they differ only in white space or in how numbers are written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt

from skyshard.bench.check.compare_answers import compare_answers
from skyshard.bench.targets.shown_digits import as_shown
from skyshard.rowimage.arrays import as_doubles

NAME = "the generator"

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d*)?(?:[eE][-+]?\d+)?(?![\w.])")


@dataclass(frozen=True, slots=True)
class TrueAnswer:
    """The rows of an answer. ``places``: the columns that are known, by position; None when all are."""

    table: pa.Table
    places: tuple[int, ...] | None = None

    def difference(self, answer: pa.Table) -> str:
        """Why an answer is wrong; empty where it is right."""
        if self.places is not None and max(self.places) < answer.num_columns:
            answer = answer.select(list(self.places))
        return compare_answers(*_alike(answer, self.table)).reason


def _alike(answer: pa.Table, truth: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Columns of numbers with one type on both sides: a generator knows values, not the types that a server gives, nor
    the digits that a protocol shows."""
    for place in range(min(answer.num_columns, truth.num_columns)):
        mine, its = answer.column(place), truth.column(place)
        if (
            _is_number(mine.type)
            and _is_number(its.type)
            and not (pt.is_integer(mine.type) and pt.is_integer(its.type))
        ):
            its = as_shown(its, answer.field(place))
            answer = answer.set_column(place, answer.field(place).name, as_doubles(mine))
            truth = truth.set_column(place, truth.field(place).name, as_doubles(its))
    return answer, truth


def _is_number(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


@dataclass(frozen=True, slots=True)
class TrueAnswers:
    """Known answers by statement; ``work_out`` is tried for statements that are not listed."""

    answers: Mapping[str, TrueAnswer]
    work_out: Callable[[str], TrueAnswer | None] = lambda sql: None

    @staticmethod
    def of(answers: Mapping[str, TrueAnswer], work_out: Callable[[str], TrueAnswer | None]) -> TrueAnswers:
        return TrueAnswers({plain(sql): answer for sql, answer in answers.items()}, work_out)

    def answer(self, sql: str) -> TrueAnswer | None:
        """The true answer of a statement; None where it is not known."""
        return self.answers.get(plain(sql)) or self.work_out(sql)


def plain(sql: str) -> str:
    """The normal form in which statements are compared.

    >>> plain("SELECT COUNT(*)  FROM Object WHERE z BETWEEN 1 AND 2.50")
    'SELECT COUNT(*) FROM Object WHERE z BETWEEN 1.0 AND 2.5'
    """
    return " ".join(_NUMBER.sub(lambda number: repr(float(number.group())), sql).split())
