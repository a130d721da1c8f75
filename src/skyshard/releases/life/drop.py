"""The end of a database: hidden from queries in one step, then removed from all servers, whoever gets there first.

Rules: nothing is changed before every node has answered. From the one registry transaction on that hides it, the
database is ``dropping``: no query begins with it, and whatever interrupts its removal, the next drop, ingest or start
of the cluster ends it. Its stored name is never given again, so a query that began before meets its rows or none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from skyshard.basics.errors import ClusterError, InUse, SkyshardError, UserError
from skyshard.registry.catalog.database_names import KnownName
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import DatabaseState
from skyshard.releases.life.names import own_database, require_settled, still_stored
from skyshard.releases.life.servers import LifePlace, remove_database


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a drop has done; ``is_gone`` is False while queries that began before may still read the tables."""

    database: str
    aliases: tuple[str, ...]
    """That went with it."""
    is_gone: bool
    kept_until_s: float
    """Seconds since 1970; 0 where nothing was kept."""


def drop(place: LifePlace, name: str, *, with_aliases: bool = False, grace_s: float = 0.0) -> Dropped:
    """Drop a database, or go on with a drop that was interrupted.

    Args:
        grace_s: seconds for which its tables stay, for queries that began before.

    Raises:
        UserError: an alias, or one names it; it is being ingested; tables of another database follow its directors.
        ClusterError: it is in use (retryable), or a server is down: nothing was changed, or the drop is ended later,
            as the error says.
    """
    registry = place.site.registry
    known = own_database(registry.published.names(), name)
    if known.state is not DatabaseState.DROPPING:
        require_settled(registry, known)
    with _locked(registry, known):
        aliases = registry.published.names().aliases(known.stored)
        kept_until_s = time.time() + grace_s if grace_s else 0.0
        with place.site.held(known.stored, makes_room=True):  # all nodes answer, nothing else works on it
            _hide(registry, known, with_aliases=with_aliases, kept_until_s=kept_until_s)
        place.site.keep_records(known.stored)
        if not grace_s:
            _finish(place, known)
    return Dropped(name, aliases, not grace_s, kept_until_s)


def finish_drops(place: LifePlace) -> list[str]:
    """End the drops that were interrupted, or whose time of grace is over, as far as servers answer; returns names."""
    registry, done = place.site.registry, []
    for row in registry.life.rows():
        if row.state is DatabaseState.DROPPING and row.kept_until_s <= time.time():
            known = KnownName(row.shown, row.stored, row.state)
            with suppress(SkyshardError), _locked(registry, known):  # another one is at it, or a server is down
                _finish(place, known)
                done.append(row.shown)
    return done


@contextmanager
def _locked(registry: Registry, known: KnownName) -> Iterator[None]:
    """Hold a database against ingests, compactions, copies to the oracle and other drops.

    Raises:
        InUse: one of them is under way (retryable).
        UserError: a transaction of it has not ended.
    """
    with ExitStack() as locks:
        try:
            locks.enter_context(registry.ingesting(known.stored))
            locks.enter_context(registry.exclusive(f"oracle of {known.stored}"))
        except ClusterError as error:
            if not error.retryable:
                raise
            require_settled(registry, known)
            raise InUse(f"'{known.name}' is in use: {error.what}", remedy=error.remedy, retryable=True) from error
        yield


def _hide(registry: Registry, known: KnownName, *, with_aliases: bool, kept_until_s: float) -> None:
    """From here on no query begins with the database."""
    with registry.naming():
        now = still_stored(registry, known.name, known.stored)
        if now.state is DatabaseState.DROPPING:
            registry.life.keep_until(known.stored, kept_until_s)
            return
        require_settled(registry, now)
        try:
            registry.life.begin_drop(known.stored, with_aliases=with_aliases, kept_until_s=kept_until_s)
        except UserError as error:
            raise UserError(f"'{known.name}' cannot be dropped: {error.what}", remedy=error.remedy) from None


def _finish(place: LifePlace, known: KnownName) -> None:
    """Remove what is left of a hidden database, the registry's rows last."""
    try:
        remove_database(place, known.stored)
        place.site.registry.life.end_drop(known.stored)
        place.site.keep_records(known.stored)
    except ClusterError as error:
        raise ClusterError(
            f"the drop of '{known.name}' has not ended, though no query sees it any more: {error.what}",
            remedy=f"the next `skyshard cluster start`, ingest or `skyshard drop {known.name}` ends it",
            retryable=error.retryable,
        ) from error
    except BaseException as error:
        error.add_note(f"no query sees '{known.name}' any more; `skyshard drop {known.name}` ends the drop")
        raise
