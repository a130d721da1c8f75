"""Who asks: a token's name and scope; where doors are open to everybody, everybody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from skyshard.registry.access.quotas import NO_QUOTA as NO_QUOTA
from skyshard.registry.access.quotas import Quota as Quota
from skyshard.registry.access.tokens import Scope as Scope


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: the name of a token, its scope, and what it may have."""

    name: str
    scope: Scope
    quota: Quota = NO_QUOTA


EVERYONE = Identity("everyone", Scope.ADMIN)


class Access(Protocol):
    """Who is behind a token."""

    def identify(self, token: str) -> Identity | None:
        """Of an empty or unknown token: None. May ask a server: not for the event loop."""

    def quota_of(self, name: str) -> Quota:
        """What somebody may have whose token is not here; of an unknown name that of everybody. May ask a server."""

    def is_known(self, name: str) -> bool:
        """Whether there is a token of somebody still. May ask a server."""


class OpenAccess:
    """Everybody may do everything, as on a loopback address that was opened so; a quota holds for all together."""

    def __init__(self, quota: Quota = NO_QUOTA) -> None:
        self._quota = quota

    def identify(self, token: str) -> Identity | None:
        return replace(EVERYONE, quota=self._quota)

    def quota_of(self, name: str) -> Quota:
        return self._quota

    def is_known(self, name: str) -> bool:
        return True
