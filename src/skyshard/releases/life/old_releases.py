"""Which releases go when the newest few of a prefix stay; changes nothing.

Rules: the newest were made last. A database that an alias names stays, as does one that is being ingested, and one
whose directors tables of another database follow that stays; none of these counts among the newest few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skyshard.basics.errors import UserError
from skyshard.registry.registry import Registry
from skyshard.releases.life.database_facts import DatabaseFacts, list_databases


@dataclass(frozen=True, slots=True)
class KeptReleases:
    """``drops``: the databases that go, in the order to drop them. ``keeps``: those that stay, with the reason."""

    drops: tuple[str, ...]
    keeps: Mapping[str, str]


def old_releases(registry: Registry, prefix: str, keep: int) -> KeptReleases:
    """Choose among the databases that there are. Errors as of :func:`choose_old`."""
    found = list_databases(registry)
    followers = {one.database: [name for name, _ in registry.life.followers(one.stored_as)] for one in found}
    return choose_old(found, followers, prefix, keep)


def choose_old(
    databases: Sequence[DatabaseFacts], followers: Mapping[str, Sequence[str]], prefix: str, keep: int
) -> KeptReleases:
    """Choose among the databases whose names begin with a prefix.

    Args:
        followers: database → databases with tables that follow its directors.

    Raises:
        UserError: no database has the prefix, or nothing is to be kept.
    """
    if keep < 1:
        raise UserError(f"--keep {keep} keeps nothing", remedy="keep at least 1, or drop databases by their names")
    mine = [one for one in databases if one.database.startswith(prefix)]
    if not mine:
        raise UserError(f"no database begins with '{prefix}'", remedy="skyshard databases lists what there is")
    keeps = {one.database: reason for one in mine if (reason := _reason(one))}
    free = sorted((one for one in mine if one.database not in keeps), key=lambda one: -one.created_s)
    keeps |= {one.database: f"among the newest {keep}" for one in free[:keep]}
    return _without_needed([one.database for one in free[keep:]], followers, keeps)


def _reason(one: DatabaseFacts) -> str:
    if one.aliases:
        return f"alias {one.aliases[0]} names it"
    if one.open_transaction is not None or one.state == "ingesting":
        return "it is being ingested"
    return "it is being dropped already" if one.state == "dropping" else ""


def _without_needed(
    candidates: list[str], followers: Mapping[str, Sequence[str]], keeps: dict[str, str]
) -> KeptReleases:
    """Leave out what a database that stays needs, and put those that follow before those that they follow."""
    left = set(candidates)
    while True:
        needed = {name: other for name in left for other in followers.get(name, ()) if other not in left}
        if not needed:
            break
        keeps |= {name: f"tables of {other} follow its directors" for name, other in sorted(needed.items())}
        left -= set(needed)
    drops: list[str] = []
    while left:
        ready = [name for name in reversed(candidates) if name in left and not left & set(followers.get(name, ()))]
        drops += ready
        left -= set(ready)
    return KeptReleases(tuple(drops), dict(sorted(keeps.items())))
