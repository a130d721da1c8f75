"""One database in the place of another: its name and aliases go over in one step, and the other one is dropped.

Rules: nothing is changed before every node has answered; until then queries read the old one, from then on the new one,
and those that are under way end as they began.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from skyshard.basics.errors import UserError
from skyshard.releases.life.names import own_database, require_settled, still_stored
from skyshard.releases.life.servers import LifePlace


def take_over(place: LifePlace, database: str, successor: str, *, grace_s: float = 0.0) -> None:
    """Let ``successor`` be called ``database`` from now on; tables of the old one are dropped ``grace_s`` later.

    The next drop, ingest or start of the cluster removes them.

    Raises:
        UserError: one of the two is not there, or is being ingested, or tables elsewhere follow the old one.
        ClusterError: one of them is in use, or a server is down (retryable); nothing was changed.
    """
    registry = place.site.registry
    names = registry.published.names()
    old, new = (own_database(names, name) for name in (database, successor))
    if old.stored == new.stored:
        raise UserError(f"'{database}' cannot take its own place", remedy="name two databases")
    with ExitStack() as locks:
        for stored in sorted((old.stored, new.stored)):
            locks.enter_context(registry.ingesting(stored))
        locks.enter_context(place.site.held(old.stored))
        with registry.naming():
            for known in (old, new):
                require_settled(registry, still_stored(registry, known.name, known.stored))
            registry.life.take_over(old.stored, new.stored, kept_until_s=time.time() + grace_s)
    for stored in (old.stored, new.stored):
        place.site.keep_records(stored)
