"""Errors, grouped by who can fix them.

    SkyshardError
    ├── UserError       exit 2   the input, the command or the recipe: the user fixes it
    ├── ClusterError    exit 3   a node, a socket, a process: the operator fixes it (``retryable``: waiting may help)
    │   └── NoRoom               a disk is full
    └── Bug             exit 1   a defect of Skyshard

A message is one line: what is wrong, where, and the remedy after a semicolon. Foreign errors (driver, Ray, Arrow) are
mapped to these in one place per seam and never reach a command.
"""

from __future__ import annotations

from typing import Any


class SkyshardError(Exception):
    """The root of all errors that Skyshard raises on purpose."""

    exit_code = 1

    def __init__(self, what: str, *, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what}; {remedy}" if remedy else what)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle an error with all its attributes, whatever arguments its constructor takes."""
        return _restored, (type(self), self.args, self.__dict__)


def words_of(error: BaseException) -> str:
    """An error in one line, with the notes that were added to it.

    >>> error = UserError("a file is gone", remedy="bring it back")
    >>> error.add_note("nothing is left")
    >>> words_of(error)
    'a file is gone; bring it back; nothing is left'
    """
    return "; ".join([text_of(error), *notes_of(error)])


def text_of(error: BaseException) -> str:
    """An error's text in one line, or its class where it has no text or making the text fails."""
    try:
        text = " ".join(str(error).split())
    except Exception as failed:
        text = f"{type(error).__name__}, whose text cannot be made ({type(failed).__name__})"
    return text or type(error).__name__


def spelled_out(text: str) -> str:
    r"""A text in one line that does nothing to a terminal: names of files may hold line ends and control characters.

    Bytes of a name that are no text stay; a stream says how it writes them.

    >>> print(spelled_out("'new\nline' and '\x1b[2J'"))
    'new\nline' and '\x1b[2J'
    """
    return "".join(
        letter if letter.isprintable() or "\udc80" <= letter <= "\udcff" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def notes_of(error: BaseException) -> list[str]:
    return [" ".join(note.split()) for note in getattr(error, "__notes__", ())]


def _restored(kind: type[SkyshardError], args: tuple[Any, ...], content: dict[str, Any]) -> SkyshardError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(content)
    return error


class UserError(SkyshardError):
    """Wrong input: one line with file, row or key, and the remedy."""

    exit_code = 2


class Refusal(UserError):
    """A statement that the czar does not answer, and why.

    ``code`` is stable and documented in docs/reference/sql.md; ``remedy`` names a rewrite that works.
    """

    def __init__(self, code: str, what: str, *, remedy: str = "") -> None:
        self.code = code
        super().__init__(f"[{code}] {what}", remedy=remedy)


class ClusterError(SkyshardError):
    """A node or process that failed; ``retryable`` says whether the same call may succeed later."""

    exit_code = 3

    def __init__(self, what: str, *, remedy: str = "", retryable: bool = False) -> None:
        self.retryable = retryable
        super().__init__(what, remedy=remedy)


class NoRoom(ClusterError):
    """A disk has too little space for what is to be written."""


class InUse(ClusterError):
    """Another process holds what this one wants to change; the same call may succeed later."""


class Bug(SkyshardError):
    """An invariant of Skyshard that does not hold: a defect to report."""

    exit_code = 1
