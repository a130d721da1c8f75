"""What all who look at the page see: parts, each asked for again after its period, made once for all. No threads.

Rules: a part is asked for so seldom that it takes no more than ``SHARE`` of a processor. ``Part.read`` may be called in
any thread, by one at a time; all else, such as what was read coming into a snapshot, belongs to the event loop: so a
number and what is in it appear together. A part that cannot be had keeps what was seen last, and it is said. Numbers of
snapshots only grow; whoever has seen one gets what changed since.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.serve.services import Services

SHARE = 0.001
"""Of a processor, which each part may take: with the stream, all of them take less than 1 %."""
MOST_LETTERS = 2000
"""Of a statement in a list."""
Ask = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Read:
    """What a part was found to be: its JSON, the same without statements; or why it cannot be had."""

    text: str = ""
    bare: str = ""
    error: str = ""


@dataclass(slots=True)
class Part:
    """One part: ``ask`` gives what becomes JSON, at most every ``period_s``."""

    name: str
    ask: Ask
    period_s: float
    is_quick: bool = False
    """It waits for no other part that is not."""
    share: float = SHARE
    """Of a processor; more for what reads only what has changed."""
    due_s: float = 0.0
    took_s: float = 0.0
    """Of a processor, when it was asked last: what takes long only once, as the first time does, delays nothing."""
    text: str = "null"
    bare: str = "null"
    changed: int = 0
    """The snapshot in which it changed last; 0: it was never seen."""

    def read(self, now_s: float) -> Read | None:
        """Ask again, if it is time; else None. One that cannot be had is asked for again after its period."""
        if now_s < self.due_s:
            return None
        self.due_s = now_s + self.period_s
        begun_s = time.thread_time()
        try:
            found = self.ask()
        except SkyshardError as failed:
            return Read(error=_plain(failed))
        text = _as_json(found)
        bare = _as_json(without_statements(found)) if '"statement":' in text else text
        took_s = time.thread_time() - begun_s
        self.due_s = now_s + max(self.period_s, min(took_s, self.took_s) / self.share)
        self.took_s = took_s
        return Read(text, bare)


def read_all(parts: Sequence[Part], now_s: float) -> list[tuple[Part, Read]]:
    """Those of some parts whose time has come; ``now_s`` is any clock that only goes on. Asks servers."""
    return [(part, found) for part in parts if (found := part.read(now_s)) is not None]


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
    faults: dict[str, str] = field(default_factory=dict)
    """Part → why it is as it was before."""

    @property
    def groups(self) -> list[tuple[Part, ...]]:
        """Parts that are read one after the other: quick ones; each other one is alone."""
        quick = tuple(part for part in self.parts if part.is_quick)
        return [one for one in (quick, *((part,) for part in self.parts if not part.is_quick)) if one]

    def put(self, found: Sequence[tuple[Part, Read]]) -> None:
        """What was read, as the next snapshot will have it."""
        for part, read in found:
            self.faults.pop(part.name, None)
            if read.error:
                self.faults[part.name] = read.error
            elif read.text != part.text or not part.changed:
                part.text, part.bare, part.changed = read.text, read.bare, self.number + 1

    def publish(self) -> None:
        """The next snapshot, of what was put until now."""
        self.number += 1

    def forget(self) -> None:
        """Nobody has looked for a while: all is old, and asked for again."""
        self.faults.clear()
        for part in self.parts:
            part.changed, part.due_s = 0, 0.0

    @property
    def error(self) -> str:
        """Why some parts are as they were before; empty: all are as they are."""
        return next((self.faults[part.name] for part in self.parts if part.name in self.faults), "")

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
        Part("queries", lambda: as_rows(overview.running()), 0.9, is_quick=True),
        Part("busy", overview.busy, 0.9, is_quick=True),
        Part("benchmarks", lambda: as_rows(overview.benchmarks()), 0.9, is_quick=True),
        Part("nodes", lambda: as_rows(overview.nodes()), 4.0),
        Part("catalogs", lambda: as_rows(overview.catalogs()), 4.0, share=1.0),
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
