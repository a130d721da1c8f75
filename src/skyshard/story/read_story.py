"""Reads stories of one cluster. If the registry does not answer, a story has only what the files of events hold."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from skyshard.basics.errors import SkyshardError, UserError, text_of
from skyshard.cluster.cluster import CZAR_NAME, LOG_FOLDER, MONO_NAME, Cluster
from skyshard.log.event_files import EventFiles, KeptEvent
from skyshard.log.events import Subject
from skyshard.registry.history.story_rows import StoryRows
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import QueryState
from skyshard.story.tell import NodeRows, RegistryRows, is_about_node, node_story, query_story, transaction_story
from skyshard.story.timeline import Story

T = TypeVar("T")


class Stories:
    """The stories of a cluster, whether all of its servers run or not."""

    def __init__(self, folder: Path | str) -> None:
        self._cluster = Cluster.at(folder)
        self._names = (CZAR_NAME, MONO_NAME, *self._cluster.node_names)
        self._files = EventFiles(self._cluster.folder / LOG_FOLDER)

    def query(self, number: int) -> Story:
        """What happened to a query.

        Raises:
            UserError: there is none of this number, or the czar's server is down.
        """
        with self._registry() as registry:
            row = registry.story_rows.query(number)
            if row is None:
                raise UserError(f"no query {number}", remedy="`skyshard queries` lists them")
            is_gone = row["state"] == QueryState.EXECUTING and registry.history.is_gone(row)
        kept = self._kept(Subject.QUERY, lambda one: one.fields.get("query") == row["name"])
        return query_story(row, kept, ("the process that answered it is gone",) if is_gone else ())

    def transaction(self, number: int) -> Story:
        """What happened to a transaction, also to one that was taken back with its database.

        Raises:
            UserError: there is none of this number.
        """
        kept = self._kept(Subject.TRANSACTION, lambda one: one.fields.get("transaction") == number)
        found, notes = self._asked(
            lambda rows: RegistryRows(
                rows.transaction(number), rows.tables(number), rows.made_on_nodes(transaction=number)
            ),
            RegistryRows(),
        )
        if found.row is None and not kept:
            raise UserError(f"no transaction {number}", remedy="`skyshard transactions` lists them")
        return transaction_story(number, found, kept, notes)

    def node(self, name: str) -> Story:
        """What happened to a node, also to one that was removed, or to the servers ``czar`` and ``mono``.

        Raises:
            UserError: the cluster has no such node, and had none.
        """
        kept = [one for subject in Subject for one in self._kept(subject, lambda one: is_about_node(one, name))]
        queries = {str(one.fields["query"]) for one in kept if "query" in one.fields}
        found, notes = self._asked(
            lambda rows: NodeRows(
                rows.node(name), rows.outages(name), rows.made_on_nodes(node=name), rows.query_numbers(queries)
            ),
            NodeRows(),
        )
        if name not in self._names and found.row is None and not kept:
            raise UserError(f"no node {name!r}", remedy=f"the cluster has {', '.join(self._names)}")
        return node_story(name, self._facts(name), found, kept, notes)

    def _kept(self, subject: Subject, is_wanted: Callable[[KeptEvent], bool]) -> list[KeptEvent]:
        return self._files.read(subject, is_wanted)

    def _asked(self, question: Callable[[StoryRows], T], nothing: T) -> tuple[T, Sequence[str]]:
        """What the registry says, or ``nothing`` and a note about it."""
        try:
            with self._registry() as registry:
                return question(registry.story_rows), ()
        except SkyshardError as error:
            return nothing, (f"told from the log alone, the registry cannot be read: {text_of(error)}",)

    @contextlib.contextmanager
    def _registry(self) -> Iterator[Registry]:
        """The registry, if it is of this release."""
        registry = Registry(self._cluster.endpoint(CZAR_NAME), self._cluster.folder)
        try:
            registry.prepare()
            yield registry
        finally:
            registry.close()

    def _facts(self, name: str) -> dict[str, Any]:
        found = next((one for one in self._cluster.status() if one.name == name), None)
        if found is None:
            return {"state": "never started" if name in self._names else "no node of this cluster any more"}
        if not found.log:  # others run it, on its host
            return {"state": str(found.state), "place": found.socket}
        return {
            "state": str(found.state), "process": found.pid, "memory_bytes": found.memory_bytes,
            "data_bytes": found.data_bytes, "server_log": found.log,
        }  # fmt: skip
