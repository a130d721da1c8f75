"""Jobs: what moves chunks from node to node, as rows that any process can go on with.

Rules: one job at a time is open; the process that works on it holds ``Registry.moving``, and every take-over raises the
job's attempt: who lost a job can do no more with it. A step ends in the SQL transaction that shows what it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from skyshard.basics.errors import Bug, ClusterError, UserError
from skyshard.registry.stored import node_sql
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.job_rows import EndedStep, JobKind, JobRow, JobStep, OpenJob, PlannedMove, StepState
from skyshard.registry.stored.lifecycle import JobEvent, JobState, NodeEvent, NodeState, follow
from skyshard.registry.stored.server_clock import now_s
from skyshard.registry.stored.store import Store

OPEN = (JobState.RUNNING, JobState.PAUSED, JobState.CANCELLING)
LONGEST_ERROR = 255
_ROWS_AT_ONCE = 5000


class Jobs(Store):
    """Reads and writes of the tables ``jobs`` and ``job_steps``."""

    def begin(
        self, kind: JobKind, subject: str, steps: Sequence[PlannedMove], *, rate_bytes_s: float, grace_s: float
    ) -> int:
        """Record a job with its steps, and that a node is being drained: all or nothing; returns its number.

        Raises:
            UserError: another job is open.
            ClusterError: the state of the node that is to be drained does not allow it.
        """
        with self._writer.begin() as connection:
            self._require_none_open(connection, is_at_work=True)  # it was begun this moment
            now = now_s(connection)
            made = sa.insert(t.jobs).values(
                kind=kind, subject=subject, state=JobState.RUNNING, attempt=0, rate_bytes_s=rate_bytes_s,
                grace_s=grace_s, begun_s=now, taken_s=now,
            )  # fmt: skip
            number = int(connection.execute(made).lastrowid)
            _add_steps(connection, number, steps)
            if kind is JobKind.DRAIN:
                _drain(connection, subject)
        return number

    def require_none_open(self, *, is_at_work: bool) -> None:
        """UserError where a job has not come to its end; ``is_at_work``: a process works on it, if there is one."""
        with self._engine.connect() as connection:
            self._require_none_open(connection, is_at_work=is_at_work)

    def _require_none_open(self, connection: sa.Connection, *, is_at_work: bool) -> None:
        c = t.jobs.c
        query = sa.select(c.id, c.kind, c.subject, c.state).where(c.state.in_(OPEN)).with_for_update()
        if (row := connection.execute(query).first()) is not None:
            what = f"{row.kind} {row.subject}".strip()
            is_left = not is_at_work and row.state == JobState.RUNNING
            raise UserError(
                f"job {row.id} ({what}) is {'interrupted' if is_left else row.state}",
                remedy=f"{'let it end; ' if is_at_work else ''}`skyshard jobs resume {row.id}` goes on with it, "
                f"`skyshard jobs cancel {row.id}` ends it",
            )

    def take_over(self, number: int) -> OpenJob:
        """Take a job that is open: whoever had it can do no more with it.

        Raises:
            UserError: there is none of this number, or it has ended.
        """
        with self._writer.begin() as connection:
            row = connection.execute(sa.select(t.jobs).where(t.jobs.c.id == number).with_for_update()).first()
            _require_open(number, None if row is None else row.state)
            assert row is not None
            attempt = int(row.attempt) + 1
            values = {"attempt": attempt, "taken_s": now_s(connection)}
            connection.execute(sa.update(t.jobs).where(t.jobs.c.id == number).values(**values))
            return OpenJob(
                number, JobKind(row.kind), row.subject, attempt, float(row.rate_bytes_s), float(row.grace_s)
            )  # fmt: skip

    def state(self, number: int) -> JobState:
        """The state of a job now.

        Raises:
            UserError: there is none of this number.
        """
        with self._engine.connect() as connection:
            found = connection.scalar(sa.select(t.jobs.c.state).where(t.jobs.c.id == number))
        if found is None:
            raise _unknown(number)
        return JobState(found)

    def ask(self, number: int, event: JobEvent) -> JobState:
        """Have whoever works on a job pause, go on or cancel it; returns the state that it has now.

        Raises:
            UserError: there is none of this number, or it has ended.
        """
        with self._writer.begin() as connection:
            query = sa.select(t.jobs.c.state).where(t.jobs.c.id == number).with_for_update()
            found = connection.scalar(query)
            _require_open(number, found)
            return _set(connection, number, JobState(str(found)), event)

    def move(self, mine: OpenJob, event: JobEvent, error: str = "") -> JobState:
        """Move a job of this process along its lifecycle.

        Raises:
            ClusterError: another process has taken it over, or its state does not allow the event.
        """
        with self._writer.begin() as connection:
            return _set(connection, mine.id, lock_job(connection, mine), event, error=error)

    def add_moves(self, mine: OpenJob, steps: Iterable[PlannedMove]) -> None:
        """Add steps to a job of this process; those for chunks that it has steps for already are left out."""
        c = t.job_steps.c
        with self._writer.begin() as connection:
            lock_job(connection, mine)
            known = connection.execute(sa.select(c.number, c.family, c.chunk).where(c.job == mine.id)).fetchall()
            there = {(row.family, row.chunk) for row in known}
            first = max((row.number for row in known), default=0) + 1
            new = [step for step in steps if (step.family, step.chunk) not in there]
            _add_steps(connection, mine.id, new, first)

    def mark_steps(self, mine: OpenJob, steps: Iterable[EndedStep]) -> None:
        """Say what became of steps that changed nothing that queries see."""
        with self._writer.begin() as connection:
            lock_job(connection, mine)
            end_steps(connection, mine, steps)

    def waiting(self, number: int, *, most: int) -> list[JobStep]:
        """The first steps of a job that were not taken yet, in order."""
        c = t.job_steps.c
        query = sa.select(t.job_steps).where(c.job == number, c.state == StepState.WAITING).order_by(c.number)
        return [_step(row) for row in self._dicts(query.limit(most))]

    def steps(self, number: int, *states: StepState, most: int) -> list[tuple[JobStep, EndedStep]]:
        """The first steps of a job in some states, and what became of them."""
        c = t.job_steps.c
        query = sa.select(t.job_steps).where(c.job == number, c.state.in_(states)).order_by(c.number)
        return [
            (_step(row), EndedStep(row["number"], StepState(row["state"]), int(row["copied_bytes"]), row["error"]))
            for row in self._dicts(query.limit(most))
        ]

    def families(self, number: int) -> list[str]:
        """The families of a job's steps."""
        query = sa.select(t.job_steps.c.family).where(t.job_steps.c.job == number).distinct()
        with self._engine.connect() as connection:
            return sorted(str(family) for (family,) in connection.execute(query))

    def rows(self, number: int = 0) -> list[JobRow]:
        """All jobs, the newest first, or one."""
        c, s = t.jobs.c, t.job_steps.c
        is_ended = s.state != StepState.WAITING
        sums = (
            sa.select(
                s.job, s.state, sa.func.count().label("steps"), sa.func.sum(s.bytes).label("bytes"),
                sa.func.sum(sa.case((is_ended & (s.ended_s >= c.taken_s), s.bytes), else_=0)).label("taken"),
            )
            .join(t.jobs, c.id == s.job)
            .group_by(s.job, s.state)
        )  # fmt: skip
        query = sa.select(t.jobs).order_by(c.id.desc())
        if number:
            query, sums = query.where(c.id == number), sums.where(s.job == number)
        with self._engine.connect() as connection:
            by_job: dict[int, list[Any]] = {}
            for row in connection.execute(sums):
                by_job.setdefault(int(row.job), []).append(row)
            now = now_s(connection)
            return [
                _row(dict(row), by_job.get(int(row["id"]), ()), now) for row in connection.execute(query).mappings()
            ]

    def get(self, number: int) -> JobRow:
        """One job.

        Raises:
            UserError: there is none of this number.
        """
        found = self.rows(number)
        if not found:
            raise _unknown(number)
        return found[0]


def _drain(connection: sa.Connection, node: str) -> None:
    """Say that no chunk comes to a node any more."""
    connection.exec_driver_sql(node_sql.MAKE_NODE, (node,))
    (before, *_) = connection.exec_driver_sql(node_sql.LOCK_NODE, (node,)).one()
    after = follow(NodeState(before), NodeEvent.DRAIN)
    connection.exec_driver_sql(node_sql.SET_STATE, (str(after), node))


def _add_steps(connection: sa.Connection, number: int, steps: Sequence[PlannedMove], first: int = 1) -> None:
    rows = [
        {
            "job": number, "number": place, "family": step.family, "chunk": step.chunk,
            "nodes_before": ",".join(step.before), "nodes_after": ",".join(step.after), "bytes": step.bytes,
            "state": StepState.WAITING,
        }
        for place, step in enumerate(steps, first)
    ]  # fmt: skip
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(sa.insert(t.job_steps), rows[start : start + _ROWS_AT_ONCE])


def lock_job(connection: sa.Connection, mine: OpenJob) -> JobState:
    """The state of a job that this process still owns; its row is locked until the SQL transaction ends.

    Raises:
        ClusterError: another process has taken it over.
    """
    query = sa.select(t.jobs.c.state, t.jobs.c.attempt).where(t.jobs.c.id == mine.id)
    row = connection.execute(query.with_for_update()).first()
    if row is None or int(row.attempt) != mine.attempt:
        raise ClusterError(f"job {mine.id} was taken over by another process", remedy="let that one end")
    return JobState(row.state)


def end_steps(
    connection: sa.Connection, mine: OpenJob, steps: Iterable[EndedStep], ended_s: float | None = None
) -> None:  # fmt: skip
    """Say what became of steps, now or at a time that was read in the same SQL transaction."""
    now, c = now_s(connection) if ended_s is None else ended_s, t.job_steps.c
    for step in steps:
        values = {
            "state": step.state, "copied_bytes": step.copied_bytes, "error": step.error[:LONGEST_ERROR], "ended_s": now,
        }  # fmt: skip
        connection.execute(sa.update(t.job_steps).where(c.job == mine.id, c.number == step.number).values(**values))


def _set(
    connection: sa.Connection, number: int, before: JobState, event: JobEvent, *, error: str = ""
) -> JobState:  # fmt: skip
    after = follow(before, event)
    if not isinstance(after, JobState):
        raise Bug(f"job {number} becomes a {type(after).__name__}")
    ended = {} if after in OPEN else {"ended_s": now_s(connection)}
    values = {"state": after, "error": error[:LONGEST_ERROR], **ended}
    connection.execute(sa.update(t.jobs).where(t.jobs.c.id == number).values(**values))
    return after


def _unknown(number: int) -> UserError:
    return UserError(f"there is no job {number}", remedy="`skyshard jobs` lists them")


def _require_open(number: int, state: str | None) -> None:
    if state is None:
        raise _unknown(number)
    if state not in OPEN:
        raise UserError(f"job {number} is {state}", remedy="start a new one")


def _nodes(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _step(row: dict[str, Any]) -> JobStep:
    return JobStep(
        row["family"], int(row["chunk"]), _nodes(row["nodes_before"]), _nodes(row["nodes_after"]), int(row["bytes"]),
        int(row["number"]),
    )  # fmt: skip


def _row(row: dict[str, Any], sums: Iterable[Any], now: float) -> JobRow:
    listed = list(sums)
    done = sum(int(one.bytes) for one in listed if one.state != StepState.WAITING)
    return JobRow(
        int(row["id"]), JobKind(row["kind"]), row["subject"], JobState(row["state"]), int(row["attempt"]),
        float(row["rate_bytes_s"]), float(row["grace_s"]), float(row["begun_s"]), float(row["taken_s"]),
        None if row["ended_s"] is None else float(row["ended_s"]), row["error"],
        {StepState(one.state): int(one.steps) for one in listed}, sum(int(one.bytes) for one in listed), done,
        sum(int(one.taken) for one in listed), now,
    )  # fmt: skip
