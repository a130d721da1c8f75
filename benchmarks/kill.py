"""Kills processes at random instants under ingests, queries, repairs, moves, stores of visits or upkeep beside them;
then all rows must be there once.

    python benchmarks/kill.py [--of ingest|queries|repair|moves|visits|upkeep] [--times 200] [--seed 1] [--rows 20000]
        [--kinds driver,node] [--json FILE]

See ``tests/support/killing.py``, ``killing_queries.py``, ``killing_repairs.py``, ``killing_moves.py`` (drains and
rebalances by turns), ``killing_visits.py`` and ``killing_upkeep.py`` for what a round is. Every kind of process (or
those of ``--kinds``) is struck in turn; ingests first in first transactions, then in second ones. Printed at the end:
rounds that lost or doubled rows, gave wrong answers, or left something over. Exit code 1 when any did. The file is
written anew after each round, so that a run that is ended early has its figures.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.killing import FIRST, RUNTIMES, SECOND, Kind, Range, Strike
from tests.support.killing_moves import MoveKind, MoveRange, MoveStrike
from tests.support.killing_queries import QueryKind, QueryRange, QueryStrike
from tests.support.killing_repairs import RepairKind, RepairRange, RepairStrike
from tests.support.killing_upkeep import UpkeepKind, UpkeepRange
from tests.support.killing_visits import VisitKind, VisitRange, VisitStrike

AnyStrike = Strike | QueryStrike | RepairStrike | MoveStrike | VisitStrike


def ingests(kinds: Sequence[Kind], folder: Path, times: int, rows: int, seed: int) -> Iterator[Strike]:
    """So many rounds on a private cluster, which is removed."""
    place = Range(folder, rows=rows, seed=seed)
    try:
        place.open([runtime for runtime in RUNTIMES if any(kind.runtime == runtime for kind in kinds)])
        for number in range(times):
            yield place.strike(kinds[number % len(kinds)], (FIRST, SECOND)[number // len(kinds) % 2])
    finally:
        if place.cluster.exists:
            place.cluster.destroy()


def others(
    of: type[QueryRange] | type[RepairRange] | type[MoveRange] | type[VisitRange],
    kinds: Sequence[Any],
    folder: Path,
    times: int,
    rows: int,
    seed: int,
) -> Iterator[AnyStrike]:
    """The same under statements, in repairs, or in drains and rebalances."""
    place: Any = of(folder, rows=rows, seed=seed)
    try:
        place.open()
        for number in range(times):
            yield place.strike(kinds[number % len(kinds)])
    finally:
        place.close()


def of_moves(kinds: Sequence[MoveKind], folder: Path, times: int, rows: int, seed: int) -> Iterator[AnyStrike]:
    """A drain and a rebalance with each kind."""
    return others(MoveRange, [kind for kind in kinds for _ in range(2)], folder, times, rows, seed)


Rounds = Callable[[Sequence[Any], Path, int, int, int], Iterator[AnyStrike]]
ROUNDS: Mapping[str, tuple[type[StrEnum], Rounds]] = {
    "ingest": (Kind, ingests),
    "queries": (QueryKind, partial(others, QueryRange)),
    "repair": (RepairKind, partial(others, RepairRange)),
    "moves": (MoveKind, of_moves),
    "visits": (VisitKind, partial(others, VisitRange)),
    "upkeep": (UpkeepKind, partial(others, UpkeepRange)),
}


def summary(strikes: Sequence[AnyStrike]) -> dict[str, Any]:
    """Rounds counted: by what was killed, when, and with what outcome."""
    found: dict[str, Any] = {
        "strikes": len(strikes),
        "wrong": sum(bool(strike.wrong) for strike in strikes),
        "leftovers": sum(bool(_leftovers(strike)) for strike in strikes),
        "by_kind": Counter(str(strike.kind) for strike in strikes),
        "elapsed_s": sum(strike.elapsed_s for strike in strikes),
    }
    return found | _details(strikes)


def _details(strikes: Sequence[AnyStrike]) -> dict[str, Any]:
    asked = [strike for strike in strikes if isinstance(strike, QueryStrike)]
    if asked:
        failed = {kind: sum(len(one.failed) for one in asked if one.kind is kind) for kind in QueryKind}
        return {
            "answered": sum(strike.answered for strike in asked), "wrong_answers": sum(strike.lost for strike in asked),
            "failed": failed, "swept": sum(strike.swept for strike in asked),
        }  # fmt: skip
    mended = [strike for strike in strikes if isinstance(strike, RepairStrike)]
    if mended:
        return {
            "bad": sum(strike.bad for strike in mended), "still_bad": sum(strike.still_bad for strike in mended),
            "in_the_middle": sum(0 < strike.still_bad < strike.bad for strike in mended),
            "ends": Counter(strike.ended for strike in mended), "retries": sum(len(one.retries) for one in mended),
        }  # fmt: skip
    moved = [strike for strike in strikes if isinstance(strike, MoveStrike)]
    if moved:
        return {
            "by_job": Counter(strike.job for strike in moved), "ends": Counter(strike.ended for strike in moved),
            "states": Counter(strike.state for strike in moved), "retries": sum(len(one.retries) for one in moved),
        }  # fmt: skip
    stored = [strike for strike in strikes if isinstance(strike, VisitStrike)]
    if stored:
        return {
            "acknowledged": sum(one.acknowledged for one in stored), "halves": sum(one.halves for one in stored),
            "reads": sum(one.reads for one in stored), "failed_reads": sum(one.failed_reads for one in stored),
        }  # fmt: skip
    ingested = [strike for strike in strikes if isinstance(strike, Strike)]
    return {
        "by_stage": Counter(strike.stage for strike in ingested),
        "by_state": Counter(strike.state for strike in ingested),
        "driver_ends": Counter(strike.driver for strike in ingested),
        "retries": sum(len(strike.retries) for strike in ingested),
    }


def _leftovers(strike: AnyStrike) -> Sequence[str]:
    if isinstance(strike, Strike):
        return [text for text in strike.wrong if text.startswith("left:")]
    return strike.leftovers


def tell(number: int, strike: AnyStrike) -> None:
    """A line of a round."""
    bad = [*strike.wrong, *_leftovers(strike)]
    outcome = "WRONG " + "; ".join(bad[:3]) if bad else "right"
    words = [f"{number:4d}", f"{strike.kind:<14}", *_words(strike), f"{strike.elapsed_s:5.1f} s", outcome]
    print("  ".join(words), flush=True)


def _words(strike: AnyStrike) -> list[str]:
    if isinstance(strike, QueryStrike):
        counts = f"{strike.answered} answered, {len(strike.failed)} failed, {strike.swept} swept"
        return [f"{strike.victim:<7}", f"{strike.delay_s:5.2f} s", f"{counts:<36}"]
    if isinstance(strike, RepairStrike):
        counts = f"{strike.still_bad} of {strike.bad} bad"
        return [f"{strike.victim:<7}", f"{strike.delay_s:5.2f} s", f"{counts:<16}", f"{strike.ended:<17}"]
    if isinstance(strike, MoveStrike):
        counts = f"{strike.state}, {len(strike.retries)} retries"
        words = [f"{strike.job:<9}", f"{strike.victim:<7}", f"{strike.delay_s:5.2f} s"]
        return [*words, f"{counts:<22}", f"{strike.ended:<9}"]
    if isinstance(strike, VisitStrike):
        counts = f"{strike.acknowledged} acknowledged, {strike.halves} not whole, {strike.reads} reads"
        return [f"{strike.victim:<7}", f"{strike.delay_s:5.2f} s", f"{counts:<44}"]
    when = f"{strike.after} + {strike.delay_s:.2f} s"
    words = [f"{strike.transaction:<6}", f"{when:<17}", f"{strike.stage:<17}", f"{strike.state:<10}"]
    return [*words, f"{strike.driver:<7}", f"{len(strike.retries)} retries"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", choices=list(ROUNDS), default="ingest", help="what is under way")
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--rows", type=int, default=20_000, help="objects of the first catalog")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", help="only these kinds of processes, with commas; all if not given")
    parser.add_argument("--json", metavar="FILE", help="write all rounds as JSON")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers are ended, and what was written stays
    strikes: list[AnyStrike] = []
    with tempfile.TemporaryDirectory(prefix="skyshard-kill-", dir="/tmp") as name:
        known, rounds = ROUNDS[options.of]
        kinds = [known(one) for one in options.kinds.split(",")] if options.kinds else list(known)
        for strike in rounds(kinds, Path(name), options.times, options.rows, options.seed):
            strikes.append(strike)
            tell(len(strikes), strike)
            if options.json:
                content = {"of": options.of, "seed": options.seed, **summary(strikes)}
                Path(options.json).write_text(json.dumps(content | {"rounds": list(map(asdict, strikes))}, indent=1))
    found = summary(strikes)
    print(json.dumps(found, indent=1))
    return 1 if found["wrong"] or found["leftovers"] else 0


if __name__ == "__main__":
    sys.exit(main())
