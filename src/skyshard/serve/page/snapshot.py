"""What all who look at the page see: parts, each asked for again after its period, made once for all. No threads.

Rules: a part is asked for so seldom that it takes no more than ``SHARE`` of a processor. A part that cannot be had
keeps what was seen last, and it is said. Numbers of snapshots only grow; whoever has seen one gets what changed since.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.serve.services import Services

SHARE = 0.002
"""Of a processor, which each part may take: five of them take 1 %."""
MOST_LETTERS = 2000
"""Of a statement in a list."""
Ask = Callable[[], Any]


@dataclass(slots=True)
class Part:
    """One part: ``ask`` gives what becomes JSON, at most every ``period_s``."""

    name: str
    ask: Ask
    period_s: float
    due_s: float = 0.0
    took_s: float = 0.0
    """Of a processor, when it was asked last: what takes long only once, as the first time does, delays nothing."""
    text: str = "null"
    bare: str = "null"
    """The same without statements."""
    changed: int = 0
    """The snapshot in which it changed last; 0: it was never seen."""

    def refresh(self, now_s: float, number: int) -> None:
        """Ask again, if it is time.

        Raises:
            SkyshardError: it cannot be had; it is asked for again after its period.
        """
        if now_s < self.due_s:
            return
        self.due_s = now_s + self.period_s
        begun_s = time.thread_time()
        found = self.ask()
        text = _as_json(found)
        bare = _as_json(without_statements(found)) if '"statement":' in text else text
        took_s = time.thread_time() - begun_s
        self.due_s = now_s + max(self.period_s, min(took_s, self.took_s) / SHARE)
        self.took_s = took_s
        if text != self.text or not self.changed:
            self.text, self.bare, self.changed = text, bare, number


@dataclass(frozen=True, slots=True)
class Seen:
    """A snapshot by its name: which process made it, and its number."""

    maker: str
    number: int

    def __str__(self) -> str:
        return f"{self.maker}-{self.number}"

    @classmethod
    def of(cls, text: str) -> Seen:
        """From what a browser sends back; an unreadable one has seen nothing.

        >>> Seen.of("ab-12"), Seen.of("what?")
        (Seen(maker='ab', number=12), Seen(maker='', number=0))
        """
        maker, _, number = text.partition("-")
        is_number = number.isascii() and number.isdecimal() and len(number) < 19
        return cls(maker, int(number)) if is_number else cls("", 0)


@dataclass(slots=True)
class Snapshots:
    """The parts, one snapshot after the other."""

    parts: tuple[Part, ...]
    maker: str = field(default_factory=lambda: secrets.token_hex(4))
    number: int = 0
    error: str = ""
    """Why some parts are as they were before; empty: all are as they are."""

    def take(self, now_s: float) -> None:
        """The next snapshot; ``now_s`` is any clock that only goes on. Asks servers: not for the event loop."""
        self.number += 1
        error = ""
        for part in self.parts:
            try:
                part.refresh(now_s, self.number)
            except SkyshardError as failed:
                error = error or _plain(failed)
        self.error = error

    @property
    def seen(self) -> Seen:
        return Seen(self.maker, self.number)

    def since(self, seen: Seen, clock_s: float, *, is_whole: bool = True) -> str:
        """The parts that changed after a snapshot, as JSON; all of them for who has seen none of this process.

        ``clock_s``: the time of this host, in seconds since 1970, to which elapsed times refer; ``is_whole``: with
        statements.
        """
        after = seen.number if seen.maker == self.maker else 0
        texts = [f'"{part.name}":{part.text if is_whole else part.bare}' for part in self.parts if part.changed > after]
        said = f'"now_s":{clock_s:.3f},"error":{json.dumps(self.error)}'
        return "{" + ",".join([said, *texts]) + "}"


def parts_of(services: Services) -> tuple[Part, ...]:
    """What the page shows of a cluster."""
    overview = services.overview
    return (
        Part("queries", lambda: as_rows(overview.running()), 0.9),
        Part("busy", overview.busy, 0.9),
        Part("nodes", lambda: as_rows(overview.nodes()), 4.0),
        Part("catalogs", lambda: as_rows(overview.catalogs()), 4.0),
        Part("transactions", lambda: as_rows(overview.transactions()), 1.9),
    )


def _as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def without_statements(rows: Any) -> Any:
    """Rows with empty statements, for those whose token does not allow to see what others ask."""
    is_rows = isinstance(rows, list)
    return [row | {"statement": ""} if "statement" in row else row for row in rows] if is_rows else rows


def as_rows(values: Any) -> list[Mapping[str, Any]]:
    """Values as JSON has them; long statements are cut, their own pages have the whole."""
    rows = [asdict(one) for one in values]
    return [row | {"statement": _cut(row["statement"])} if "statement" in row else row for row in rows]


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} …"


def _plain(error: SkyshardError) -> str:
    """In words without places of servers."""
    return "a server of the cluster does not answer" if isinstance(error, ClusterError) else error.what
