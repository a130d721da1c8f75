"""Who asks: a token's name and scope; where doors are open to everybody, everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from skyshard.registry.access.tokens import Scope as Scope


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: the name of a token, and its scope."""

    name: str
    scope: Scope


EVERYONE = Identity("everyone", Scope.ADMIN)


class Access(Protocol):
    """Who is behind a token."""

    def identify(self, token: str) -> Identity | None:
        """Of an empty or unknown token: None. May ask a server: not for the event loop."""


class OpenAccess:
    """Everybody may do everything, as on a loopback address that was opened so."""

    def identify(self, token: str) -> Identity | None:
        return EVERYONE
