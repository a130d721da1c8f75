"""Which releases go when the newest few of a prefix stay."""

from __future__ import annotations

from typing import Any

import pytest

from skyshard.basics.errors import UserError
from skyshard.releases.life.database_facts import DatabaseFacts
from skyshard.releases.life.old_releases import choose_old


def made(name: str, day: int, **other: Any) -> DatabaseFacts:
    facts: dict[str, Any] = {
        "database": name, "state": "published", "aliases": (), "rows": 1, "bytes": 1, "tables": 1, "family": "f",
        "engine": "MyISAM", "replicas": 1, "source": "s", "created_s": float(day), "changed_s": float(day),
        "transactions": 1, "open_transaction": None, "stored_as": name,
    }  # fmt: skip
    return DatabaseFacts(**facts | other)


WEEKS = [made(f"hsc_w{week}", week) for week in (21, 24, 22, 23)]


def test_the_newest_stay_whatever_the_order() -> None:
    """The oldest goes first; databases of other prefixes are not looked at."""
    chosen = choose_old([*WEEKS, made("dp1", 1)], {}, "hsc_w", 2)
    assert chosen.drops == ("hsc_w21", "hsc_w22")
    assert chosen.keeps == {"hsc_w23": "among the newest 2", "hsc_w24": "among the newest 2"}


def test_more_are_kept_than_there_are() -> None:
    """Then nothing goes."""
    assert choose_old(WEEKS, {}, "hsc_w", 9).drops == ()


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"aliases": ("hsc_best",)}, "alias hsc_best names it"),
        ({"open_transaction": 7}, "it is being ingested"),
        ({"state": "dropping"}, "it is being dropped already"),
    ],
)
def test_what_is_in_use_stays_and_does_not_count(other: dict[str, Any], reason: str) -> None:
    """The two newest of the rest stay besides."""
    chosen = choose_old([*WEEKS, made("hsc_w20", 20, **other)], {}, "hsc_w", 2)
    assert chosen.drops == ("hsc_w21", "hsc_w22")
    assert chosen.keeps["hsc_w20"] == reason


def test_a_database_goes_after_those_that_follow_it() -> None:
    """Here the older one follows a director of the newer one."""
    assert choose_old(WEEKS, {"hsc_w22": ["hsc_w21"]}, "hsc_w", 2).drops == ("hsc_w21", "hsc_w22")
    assert choose_old(WEEKS, {"hsc_w21": ["hsc_w22"]}, "hsc_w", 2).drops == ("hsc_w22", "hsc_w21")


def test_what_one_that_stays_follows_stays_too() -> None:
    """Also when it is needed by way of another one."""
    chosen = choose_old(WEEKS, {"hsc_w22": ["hsc_w24"], "hsc_w21": ["hsc_w22", "other"]}, "hsc_w", 2)
    assert chosen.drops == ()
    assert chosen.keeps["hsc_w22"] == "tables of hsc_w24 follow its directors"
    assert chosen.keeps["hsc_w21"].endswith("follow its directors")


@pytest.mark.parametrize(
    ("prefix", "keep", "what"), [("hsc_w", 0, "--keep 0 keeps nothing"), ("x", 2, "begins with 'x'")]
)
def test_nothing_is_chosen_where_nothing_can_be_meant(prefix: str, keep: int, what: str) -> None:
    """A prefix that no database has, or a number below one."""
    with pytest.raises(UserError, match=what):
        choose_old(WEEKS, {}, prefix, keep)
