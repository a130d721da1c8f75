"""Kills processes of an ingest at random instants, goes on with the ingest, and looks whether every row is there once.

    python benchmarks/kill.py [--times 200] [--seed 1] [--rows 20000] [--json FILE]

See ``tests/support/killing.py`` for what a round is. Every kind of process is struck in turn, first in first
transactions, then in second ones. Exit code 1 when anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.killing import FIRST, SECOND, Kind, Range, Strike


def run(times: int, rows: int, seed: int, tell: Callable[[int, Strike], None]) -> list[Strike]:
    """So many rounds on a private cluster, which is removed."""
    kinds = list(Kind)
    with tempfile.TemporaryDirectory(prefix="skyshard-kill-", dir="/tmp") as name:
        place = Range(Path(name), rows=rows, seed=seed)
        try:
            place.open()
            strikes = []
            for number in range(times):
                strike = place.strike(kinds[number % len(kinds)], (FIRST, SECOND)[number // len(kinds) % 2])
                strikes.append(strike)
                tell(number, strike)
        finally:
            if place.cluster.exists:
                place.cluster.destroy()
    return strikes


def summary(strikes: Sequence[Strike]) -> Mapping[str, object]:
    return {
        "strikes": len(strikes),
        "wrong": sum(bool(strike.wrong) for strike in strikes),
        "by_kind": Counter(strike.kind for strike in strikes),
        "by_stage": Counter(strike.stage for strike in strikes),
        "by_state": Counter(strike.state for strike in strikes),
        "driver_ends": Counter(strike.driver for strike in strikes),
        "elapsed_s": sum(strike.elapsed_s for strike in strikes),
    }


def tell(number: int, strike: Strike) -> None:
    outcome = "WRONG " + "; ".join(strike.wrong[:3]) if strike.wrong else "right"
    when = f"{strike.after} + {strike.delay_s:.2f} s"
    words = [f"{number + 1:4d}", f"{strike.kind:<14}", f"{strike.transaction:<6}", f"{when:<17}", f"{strike.stage:<17}"]
    words += [
        f"{strike.state:<10}",
        f"{strike.driver:<7}",
        f"{len(strike.retries)} retries",
        f"{strike.elapsed_s:5.1f} s",
    ]
    print("  ".join([*words, outcome]), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--rows", type=int, default=20_000, help="objects of the first catalog")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write all rounds as JSON")
    options = parser.parse_args()
    strikes = run(options.times, options.rows, options.seed, tell)
    found = summary(strikes)
    print(json.dumps(found, indent=1))
    if options.json:
        rounds = [asdict(strike) for strike in strikes]
        Path(options.json).write_text(json.dumps({**found, "rounds": rounds}, indent=1))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
