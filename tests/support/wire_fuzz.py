"""A client of a MySQL door that says things changed at random by a seed; and a sound client beside it."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.asking import ASK_EVERY_S
from tests.support.wire_mutations import (
    ODD,
    commands,
    compressed,
    login,
    mutated,
    split,
    tls_request,
)

from skyshard.serve.mysql.packets import HEADER, Capability, framed
from skyshard.serve.mysql.server_session import SILENT

ANSWER_S, SURE_ANSWER_S = 0.02, 5.0
"""So long an answer is waited for that may never come, and one that comes unless the door is stuck: however busy the
machine is, the door has seen a packet before the next one is sent."""
HANDSHAKE_S = 2.0
FEW = 0.0005
"""Of packets that are as long as packets get."""
LOGINS = (
    login(), login(), login(database=b"information_schema"), login(Capability.LOCAL_FILES, Capability.MULTI_STATEMENTS),
    login(Capability.COMPRESS),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawn:
    """Bytes to send; ``is_framed``: in packets as they are to be, so that the next one begins behind them."""

    data: bytes
    is_sound: bool = False
    is_framed: bool = True
    is_answered: bool = False
    """For sure, unless the door reads other packets than these."""

    @classmethod
    def of(cls, payload: bytes, *, is_sound: bool = False) -> Drawn:
        return cls(framed(payload, 0), is_sound, is_answered=not payload or payload[0] not in SILENT)


class Fuzz:
    """Sends packets to a door; ``counts``: what happened.

    Args:
        tls: what a door that speaks TLS only is to be trusted by; ``token`` lets in there.
    """

    def __init__(
        self,
        place: tuple[str, int],
        seed: int,
        sql: str,
        *,
        a_connection: int = 40,
        tls: ssl.SSLContext | None = None,
        token: bytes = b"",
    ) -> None:
        self._place, self._randomly = place, random.Random(seed)
        self._commands, self._most = commands(sql), a_connection
        self._tls, self._token = tls, token
        self.counts: Counter[str] = Counter()

    def run(self, packets: int) -> None:
        """Until so many mutated ones were sent."""
        while self.counts["packets"] < packets:
            self.counts["connections"] += 1
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                bare = stack.enter_context(socket.create_connection(self._place, 60))
                bare.recv(4096)
                if self._tls is None:
                    self._converse(bare, 1)
                elif (safe := self._made_safe(bare, self._tls)) is not None:
                    self._converse(stack.enter_context(safe), 2)

    def _made_safe(self, bare: socket.socket, tls: ssl.SSLContext) -> ssl.SSLSocket | None:
        """The connection in TLS; None where the handshake was left, or changed, in its middle."""
        way, asked = self._randomly.random(), framed(tls_request(), 1)
        if way < 0.7:
            bare.sendall(asked)
            bare.settimeout(HANDSHAKE_S)
            return tls.wrap_socket(bare, server_hostname=self._place[0])
        self.counts["packets"] += 1
        self.counts["handshakes"] += 1
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.wrap_bio(incoming, outgoing, server_hostname=self._place[0]).do_handshake()
        hello = outgoing.read()
        bare.sendall(mutated(asked, self._randomly) if way < 0.8 else asked)
        bare.sendall(hello[: self._randomly.randrange(len(hello))] if way < 0.9 else mutated(hello, self._randomly))
        self._taken(bare)
        return None

    def _converse(self, bare: socket.socket, sequence: int) -> None:
        chosen = self._randomly.choice(LOGINS)
        is_in_step = self._say(bare, framed(chosen, sequence), is_sound=self._randomly.random() < 0.9)
        if self._token:
            answer = framed(self._token + b"\0", sequence + 2)
            is_in_step &= self._say(bare, answer, is_sound=self._randomly.random() < 0.9)
        for _ in range(self._randomly.randrange(1, self._most)):
            drawn = self._drawn()
            data = compressed(drawn.data, self._randomly) if chosen is LOGINS[-1] else drawn.data
            is_in_step &= drawn.is_framed and chosen is not LOGINS[-1]
            self.counts["packets"] += not drawn.is_sound
            bare.sendall(data)
            if not self._taken(bare, is_sure=is_in_step and drawn.is_answered):
                return

    def _say(self, bare: socket.socket, data: bytes, *, is_sound: bool) -> bool:
        bare.sendall(data if is_sound else mutated(data, self._randomly))
        self.counts["packets"] += not is_sound
        self._taken(bare, is_sure=is_sound)
        return is_sound

    def _drawn(self) -> Drawn:
        command, way = self._randomly.choice(self._commands), self._randomly.random()
        if way < 0.2:  # what later ones are about
            return Drawn.of(command, is_sound=True)
        if way < 0.75:
            return Drawn.of(mutated(command, self._randomly))
        if way < 0.85:
            return Drawn(mutated(framed(command, 0), self._randomly), is_framed=False)
        if way < 1 - FEW:
            return Drawn(self._randomly.choice(ODD)(self._randomly))
        return Drawn(split(self._randomly), is_framed=False)

    def _taken(self, bare: socket.socket, *, is_sure: bool = False) -> bool:
        """Read what is there; False when the door has hung up. ``is_sure``: that something comes."""
        wait_s = SURE_ANSWER_S if is_sure else ANSWER_S
        while (isinstance(bare, ssl.SSLSocket) and bare.pending()) or select.select([bare], [], [], wait_s)[0]:
            data = bare.recv(1 << 16)
            if not data:
                self.counts["hung up"] += 1
                return False
            self.counts["answers"] += 1
            if len(data) < 1 << 16 and len(data) >= HEADER:
                return True
        self.counts["late"] += is_sure
        return True


class Beside:
    """Somebody sound, who asks without end, and says what went wrong."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask, self._is_over = ask, threading.Event()
        self.answers, self.problem = 0, ""
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            while not self._is_over.wait(ASK_EVERY_S):
                self._ask()
                self.answers += 1
        except Exception as error:
            self.problem = repr(error)

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
