"""What one user has under way and is given, held against the quota. One place for all doors.

Rules: what is too much is refused with the quota's name and what to do; seats belong to the event loop of a process,
so that two processes count for themselves.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from skyshard.basics.errors import Refusal, UserError
from skyshard.registry.access.quotas import Quota

TOO_LARGE = "result-too-large"
"""Code of an answer that is more than somebody may have, as of one that is more than the czar takes."""


class OverQuota(UserError):
    """A user has as much as they may have."""


class Seats:
    """How many queries of each user are under way. Only for the event loop."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def take(self, user: str, quota: Quota) -> None:
        """One more; OverQuota where it would be too many."""
        if quota.queries and self._taken[user] >= quota.queries:
            raise OverQuota(
                f"{self._taken[user]} queries of '{user}' are under way, as many as the quota 'queries' allows",
                remedy="wait until one has ended",
            )
        self._taken[user] += 1

    def take_anyhow(self, user: str) -> None:
        """One more that was let in before."""
        self._taken[user] += 1

    def leave(self, user: str) -> None:
        """One less; who has none is forgotten."""
        self._taken[user] -= 1
        if self._taken[user] <= 0:
            del self._taken[user]

    @contextlib.contextmanager
    def taken(self, user: str, quota: Quota) -> Iterator[None]:
        self.take(user, quota)
        try:
            yield
        finally:
            self.leave(user)

    def of(self, user: str) -> int:
        return self._taken[user]


class Meter:
    """Counts the rows of one answer. ``more_rows``: so many may come beyond the quota, for whoever cuts them off."""

    def __init__(self, user: str, quota: Quota, more_rows: int = 0) -> None:
        self._user = user
        self._most_rows = None if quota.most_rows is None else quota.most_rows + more_rows
        self._most_bytes = quota.most_bytes
        self._rows = self._bytes = 0

    def __call__(self, batch: pa.RecordBatch) -> None:
        """Count some in; Refusal where they are too many."""
        if self._most_rows is not None:
            self._rows += batch.num_rows
            if self._rows > self._most_rows:
                raise self._refusal(f"more rows than {self._most_rows:,}", "rows")
        if self._most_bytes is not None:
            self._bytes += batch.nbytes
            if self._bytes > self._most_bytes:
                raise self._refusal(f"more bytes of rows than {self._most_bytes:,}", "answer_mb")

    def _refusal(self, what: str, quota: str) -> Refusal:
        return Refusal(
            TOO_LARGE, f"the answer has {what}, as many as the quota '{quota}' of '{self._user}' allows",
            remedy="ask for less: a smaller area, fewer columns, a LIMIT",
        )  # fmt: skip


def require_upload(user: str, quota: Quota, size: int) -> None:
    """OverQuota where somebody brings more bytes than they may."""
    most = quota.most_upload_bytes
    if most is not None and size > most:
        raise OverQuota(
            f"{size:,} bytes are uploaded, more than the {most:,} that the quota 'upload_mb' of '{user}' allows",
            remedy="upload less",
        )


def require_room(user: str, quota: Quota, kept: int) -> None:
    """OverQuota where somebody keeps as many results as they may."""
    if quota.results and kept >= quota.results:
        raise OverQuota(
            f"{kept} results of '{user}' are kept or still to come, as many as the quota 'results' allows",
            remedy="delete results that are not needed any more",
        )
