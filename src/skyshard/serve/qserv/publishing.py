"""Publishing what was registered: one ingest of all finished transactions; and opening it for more tables.

Rules: all of it is visible, or nothing. A database that is open for more tables stays visible as it is; rows of tables
that it has already stay as they are.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.serve.lanes import Lanes
from skyshard.serve.qserv.contributions import Contributions
from skyshard.serve.qserv.envelope import NotThere
from skyshard.serve.qserv.ingest_json import registered_json
from skyshard.serve.qserv.ingest_state import (
    PUBLISH,
    IngestState,
    Registered,
    TransState,
    now_ms,
    regular_tables,
)
from skyshard.serve.qserv.metadata_writer import write_metadata
from skyshard.serve.services import Ingests


class Publishing:
    """Publishes, opens again, forgets. Safe for threads."""

    def __init__(self, ingests: Ingests, state: IngestState, contributions: Contributions, lanes: Lanes) -> None:
        self._ingests = ingests
        self._state = state
        self._contributions = contributions
        self._lanes = lanes

    def published(self, database: str) -> dict[str, Any] | None:
        """A published database as Qserv's configuration lists it; None where there is none."""
        return next((dict(one) for one in self._ingests.published() if one["database"] == database), None)

    def publish(self, database: str) -> None:
        """Ingest what was committed.

        Raises:
            UserError: it is not registered, a transaction is open, rows are missing or wrong.
            ClusterError: a node failed, or the process ends (retryable): asked again, it goes on.
        """
        with self._state.publishing(database) as registered:
            if registered.is_reopened and not registered.tables:
                pass  # nothing was added
            elif registered.is_reopened or self.published(database) is None:
                self._ingest(registered)
            elif not registered.is_publishing:  # else a process was killed between its last two steps
                raise UserError(f"a database '{database}' was published meanwhile", remedy="drop what is registered")
            self.forget(registered)

    def _ingest(self, registered: Registered) -> None:
        finished = {one.id for one in registered.in_state(TransState.FINISHED)}
        contributed = [one for one in registered.contributions if one.transaction in finished and one.path]
        if not any(one.chunk >= 0 for one in contributed) and len(regular_tables(registered)) < len(registered.tables):
            raise UserError("the database doesn't have any chunks", remedy="contribute rows, and commit")
        for one in contributed:
            self._contributions.require_same(one)
        folder = self._folder(registered)
        shutil.rmtree(folder, ignore_errors=True)  # made anew, of the same paths: an ingest that was killed goes on
        folder.mkdir(parents=True)
        self._state.note_publishing(registered, True)
        try:
            self._ingests.ingest(write_metadata(folder, registered, contributed), self._lanes.ending)
        except UserError as error:
            raise _naming_contributions(error, folder) from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def reopen(self, database: str) -> Registered:
        """Let tables be added to a published database; asked again, nothing changes.

        Raises:
            UserError: it is not published.
        """
        with self._state.lock:
            found, shown = self._state.find(database), self.published(database)
            if found is not None and (found.is_reopened or shown is None):
                return found
            if shown is None:
                raise NotThere(f"no such database: {database}", remedy="GET /replication/config lists them")
            made = Registered(
                database=database, stripes=shown["num_stripes"], substripes=shown["num_sub_stripes"],
                overlap_deg=shown["overlap"], made_ms=now_ms(), is_reopened=True,
            )  # fmt: skip
            self._state.put(made)
            return made

    def forget(self, registered: Registered) -> None:
        """What was registered, then its contributions and copies of files: what is registered has them."""
        with self._state.lock:
            self._state.forget(registered.database)
            self._contributions.forget(registered, registered.contributions)
            shutil.rmtree(self._folder(registered), ignore_errors=True)

    def _folder(self, registered: Registered) -> Path:
        """What the ingest reads."""
        return self._ingests.folder / f"{registered.database}{PUBLISH}"

    def drop_registered(self, database: str) -> None:
        """Forget what is not published; ClusterError while it is being published (retryable)."""
        with self._state.lock:
            self._state.require_no_publish(database)
            self.forget(self._state.get(database))

    def drop_table(self, database: str, table: str) -> None:
        """Drop a published table, or go on with that.

        Raises:
            NotThere: there is none.
            UserError: tables follow it, of those that are registered, too; or an ingest has not ended.
            ClusterError: its database is being published, or in use (retryable), or a node is down.
        """
        self._state.require_no_publish(database)
        registered = self._state.find(database)
        for name, told in registered.tables.items() if registered is not None else ():
            if table in (told.get("director_table"), told.get("director_table2")):
                what = f"{database}.{table} cannot be dropped: table '{name}', which is registered, follows it"
                raise UserError(what, remedy=f"delete '{name}' first")
        is_there = any(one["name"] == table for one in (self.published(database) or {"tables": ()})["tables"])
        try:
            self._ingests.drop_table(database, table)
        except UserError as error:
            if is_there:
                raise
            raise NotThere(error.what, remedy="GET /replication/config lists them") from None

    def shown(self) -> Sequence[dict[str, Any]]:
        """Databases as the configuration lists them: published, registered, and both in one entry."""
        found = {str(one["database"]): dict(one) for one in self._ingests.published()}
        for one in self._state.databases():
            before = found.get(one.database, {"tables": []})
            mine = dict(registered_json(one))
            found[one.database] = mine | {"tables": [*before["tables"], *mine["tables"]]}
        return list(found.values())


def _naming_contributions(error: UserError, folder: Path) -> UserError:
    """The same error with contributions by the numbers that their client knows, not by our links to their files."""
    link = re.compile(rf"'?{re.escape(str(folder))}/c(\d+)/[\w.]+'?")
    error.what = link.sub(r"contribution \1", error.what)
    error.args = tuple(link.sub(r"contribution \1", str(one)) for one in error.args)
    return error
