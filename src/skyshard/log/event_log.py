"""Logs events: to standard ``logging``, and into the files of events of a cluster.

An ``EventLog`` without a folder only logs. Telling an event never raises. Where no handler
listens and nothing is kept it costs a comparison.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from skyshard.log.event_files import EventFiles
from skyshard.log.events import EventKind, EventValue, Subject, bounded

_LOGGERS = {subject: logging.getLogger(f"skyshard.{subject}") for subject in Subject}


class EventLog:
    """Where events of one cluster go; ``folder`` is the cluster's folder for them, None for a log without files.

    ``about``: fields of all its events.
    """

    def __init__(self, folder: Path | None = None, about: Mapping[str, EventValue] | None = None) -> None:
        self._folder = folder
        self._files = EventFiles(folder) if folder is not None else None
        self._about = dict(about or {})

    def about(self, **fields: EventValue) -> EventLog:
        """The same log, for events that have these fields in common.

        >>> from skyshard.log.events import TRANSACTION_ABORTED
        >>> mine = EventLog().about(transaction=7, database="dr1")
        >>> mine.tell(TRANSACTION_ABORTED)
        """
        return EventLog(self._folder, self._about | fields)

    def is_heard(self, kind: EventKind, /, *, keep: bool = True) -> bool:
        """Whether telling has any effect; ask before computing costly fields."""
        return self._keeps(kind, keep) or _LOGGERS[kind.subject].isEnabledFor(kind.level)

    def tell(self, kind: EventKind, /, *, keep: bool = True, **fields: EventValue) -> None:
        """Log an event; the fields are those of its sentence. ``keep`` False leaves it out of the cluster's files."""
        logger = _LOGGERS[kind.subject]
        is_kept, is_logged = self._keeps(kind, keep), logger.isEnabledFor(kind.level)
        if not (is_kept or is_logged):
            return
        shown = {name: bounded(value) for name, value in (self._about | fields).items()}
        if is_logged:
            logger.log(kind.level, "%s", kind.line(shown), extra={"event": kind.name, "fields": shown})
        if is_kept and self._files is not None:
            self._files.add(kind, shown)

    def _keeps(self, kind: EventKind, keep: bool) -> bool:
        return keep and self._files is not None and kind.subject is not Subject.PROGRAM


ONLY_LOGGED = EventLog()
"""For what belongs to no cluster."""
