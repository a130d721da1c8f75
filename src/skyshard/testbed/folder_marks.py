"""Makes sure that nodes run in their own data folders, and gives marks to folders that have none yet.

Rules: a folder that was never asked about gets a mark, or keeps the one that it has; one that lost its mark is taken
for new if it holds no database of this cluster; any other is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import partial

from skyshard.basics.ask_at_once import AskedAtOnce
from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.cluster.folder_mark import read_mark, write_mark, wrong_folder
from skyshard.cluster.require_servers import REACH_S
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.registry.registry import Registry
from skyshard.wiring import Wiring

ALL_S = 10.0
"""All servers together have so long to answer."""
MARKING = "marks of data folders"
"""Held while one is given."""


def mark_folders(wiring: Wiring, names: Iterable[str]) -> None:
    """Look at the data folders of nodes; those that do not answer are passed over.

    Raises:
        ClusterError: a node runs in a folder that is not its own, the first one by name.
    """
    registry, known = wiring.registry, wiring.registry.nodes.marks()
    nodes = {name: wiring.cluster.node(name).sql for name in names}
    looks = AskedAtOnce({name: partial(_is_known, node, known.get(name, "")) for name, node in nodes.items()})
    unlike = [name for name, is_known in looks.answers(ALL_S).items() if not is_known]
    if not unlike:
        return
    with registry.exclusive(MARKING):
        known, stored = registry.nodes.marks(), {row.stored for row in registry.life.rows()}
        for name in sorted(unlike):
            if (error := _mark(registry, nodes[name], known.get(name, ""), stored)) is not None:
                raise error


def _is_known(endpoint: Endpoint, known: str) -> bool:
    """Whether a server's folder is as it is known, or cannot be asked now."""
    try:
        with connect(endpoint, Account.READER, connect_timeout_s=REACH_S, answer_timeout_s=REACH_S) as reader:
            return bool(known) and read_mark(reader) == known
    except SkyshardError:
        return True


def _mark(registry: Registry, endpoint: Endpoint, known: str, databases: set[str]) -> ClusterError | None:
    try:
        with connect(endpoint, Account.ADMIN, connect_timeout_s=REACH_S, answer_timeout_s=REACH_S) as admin:
            found = read_mark(admin)
            if known and found == known:
                return None
            if not known:
                word = found or secrets.token_hex(16)
                if not found:
                    write_mark(admin, word)  # first: whoever goes on finds it, and keeps it
                registry.nodes.set_mark(endpoint.name, word)
                return None
            if found or databases & {str(name) for (name,) in admin.rows("SHOW DATABASES")}:
                return wrong_folder(endpoint.name, found)
            word = secrets.token_hex(16)
            registry.nodes.set_mark(endpoint.name, word)  # first: without it the folder is still a new one
            write_mark(admin, word)
            return None
    except SkyshardError:
        return None
