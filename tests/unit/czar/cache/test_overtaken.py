"""Answers whose tables are dropped while they are read: begun again before the first row, given up after it."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pyarrow as pa
import pymysql
import pytest

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.czar.cache.overtaken import ATTEMPTS, answered, planned
from skyshard.czar.plan.query_plan import Kind, QueryPlan
from skyshard.czar.result.query_progress import Running
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.db.connection import Endpoint
from skyshard.db.driver_errors import is_gone, mapped
from skyshard.rowimage.sqltype import parse_type

BATCH = pa.RecordBatch.from_pydict({"c0": [1]})
Source = Callable[[TypedPlan], Generator[pa.RecordBatch, None, None]]


def plan(kind: str = "bigint") -> TypedPlan:
    return TypedPlan(QueryPlan(Kind.LOCAL, ("n",)), (TypedColumn("c0", parse_type(kind)),))


def refusal(code: int) -> SkyshardError:
    """What comes from a server that answers with an error."""
    cause = pymysql.ProgrammingError(code, "Table 'x.Object_7' doesn't exist")
    error = mapped(cause, Endpoint(socket="node1.sock"))
    error.__cause__ = cause
    return error


def source(errors: list[SkyshardError], *, rows_before: int = 0) -> Source:
    """Fails as often as there are errors, then gives two batches."""

    def batches(_: TypedPlan) -> Generator[pa.RecordBatch, None, None]:
        failure = errors.pop(0) if errors else None
        yield from [BATCH] * (rows_before if failure else 2)
        if failure:
            raise failure

    return batches


@pytest.mark.parametrize("code", [1146, 1168, 1017, 1412])
@pytest.mark.parametrize("times", [0, 1, ATTEMPTS - 1])
def test_begun_again_before_the_first_row(code: int, times: int) -> None:
    """However a server says that a table is gone, the statement is planned again, and its rows come once."""
    plans: list[TypedPlan] = []

    def plan_again() -> TypedPlan:
        plans.append(plan())
        return plans[-1]

    found = list(answered(plan(), source([refusal(code) for _ in range(times)]), plan_again, Running("q")))
    assert (found, len(plans)) == ([BATCH] * 2, times)


def test_what_stays_gone_is_an_error() -> None:
    """A table that is lost, not replaced, is told after some attempts."""
    with pytest.raises(UserError, match="doesn't exist"):
        list(answered(plan(), source([refusal(1146)] * ATTEMPTS), plan, Running("q")))


def test_nothing_is_asked_again_after_the_first_row() -> None:
    """Rows that were handed out may be of another generation than those that would follow."""
    with pytest.raises(ClusterError, match="replaced, or dropped, while its rows were handed out") as caught:
        list(answered(plan(), source([refusal(1146)], rows_before=1), plan, Running("q")))
    assert caught.value.retryable


def test_other_errors_are_not_tried_again() -> None:
    """A server's word on anything else goes to whoever asked."""
    for error in (refusal(1054), UserError("wrong"), ClusterError("gone", retryable=True)):
        assert not is_gone(error)
        with pytest.raises(type(error)):
            list(answered(plan(), source([error]), plan, Running("q")))


def test_another_table_is_no_replacement() -> None:
    """A table with columns of other types is not what was asked for."""
    with pytest.raises(ClusterError, match="replaced by another one"):
        list(answered(plan(), source([refusal(1146)]), lambda: plan("double"), Running("q")))


def test_planning_meets_an_index_that_is_gone() -> None:
    """Looking a key up in an index that is dropped just then is tried again, and nothing else is."""
    errors: list[SkyshardError] = [refusal(1146), refusal(1146)]

    def prepare() -> str:
        if errors:
            raise errors.pop()
        return "plan"

    assert planned(prepare) == "plan"
    errors += [refusal(1064)]
    with pytest.raises(UserError):
        planned(prepare)
