"""Who is behind a token that came from an address; the same for all doors of a process, so that wrong tokens at one of
them slow down tries at the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from skyshard.serve.access import Access, Identity, OpenAccess, Quota
from skyshard.serve.back_off import BackOff
from skyshard.serve.lanes import Lanes


class Admission:
    """Looks tokens up, in their turns."""

    def __init__(
        self,
        access: Access,
        lanes: Lanes,
        back_off: BackOff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._access, self._lanes, self._sleep = access, lanes, sleep
        self._back_off = back_off or BackOff()

    @property
    def is_open(self) -> bool:
        """Whether everybody may enter."""
        return isinstance(self._access, OpenAccess)

    async def identify(self, token: str, address: str) -> Identity | None:
        """Who it is; None for a token that there is not. An empty one is no try.

        Raises:
            TooManyTries: too many wrong ones came from there.
        """
        if self.is_open or not token:
            return self._access.identify(token) if self.is_open else None
        wait_s = self._back_off.turn(address, token)
        if wait_s:
            await self._sleep(wait_s)
        found = await self._lanes.call(self._access.identify, token)
        self._back_off.note(address, token, is_right=found is not None)
        return found

    async def quota_of(self, name: str) -> Quota:
        """What somebody may have whose token is not here."""
        return await self._lanes.call(self._access.quota_of, name)

    async def revoked(self, names: Collection[str]) -> set[str]:
        """Those of them who have no token any more."""
        if self.is_open or not names:
            return set()
        return await self._lanes.call(lambda: {name for name in names if not self._access.is_known(name)})
