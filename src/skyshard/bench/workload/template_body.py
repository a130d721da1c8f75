"""The body of a template: Jinja2 in a sandbox with bounded work, and errors that name file and line.

Allowed are values, their parts, arithmetic, a few filters, conditions, and loops with a bounded number of iterations;
no calls, no other files. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from traceback import walk_tb
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from skyshard.basics.errors import UserError

MOST_ROUNDS = 10_000
"""Most iterations of all loops of one statement."""
MOST_CHARACTERS = 2**24
"""Most characters of one statement: what a server accepts as a packet."""
_MOST_POWER = 64
_FILTERS = (
    "abs", "attr", "count", "d", "default", "first", "float", "int", "join", "last", "length", "list", "lower", "max",
    "min", "reverse", "sort", "string", "sum", "trim", "unique", "upper",
)  # fmt: skip
_REFUSED = (nodes.Call, nodes.CallBlock, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_ROUNDS, _REMEDY = "_rounds", "fix the template"


class _Environment(SandboxedEnvironment):
    """A sandbox in which operators cannot make texts or numbers of unlimited length."""

    intercepted_binops = frozenset(["*", "**", "%"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not all(isinstance(value, int | float) for value in (left, right)):
            raise jinja2.TemplateRuntimeError(f"'{operator}' is for numbers")
        if operator == "**" and abs(right) > _MOST_POWER:
            raise jinja2.TemplateRuntimeError(f"a power beyond {_MOST_POWER}")
        return super().call_binop(context, operator, left, right)


def _finalize(value: object) -> object:
    """Floats with all their digits; a mapping printed whole is a mistake in the template."""
    if isinstance(value, Mapping):
        raise jinja2.UndefinedError(f"a parameter with parts ({', '.join(value)}) was used whole")
    return repr(float(value)) if isinstance(value, float) else value


def _rounded(value: float, digits: int = 0) -> float:
    return round(value, digits)


@jinja2.pass_context
def _counted(context: Any, values: Iterable[object]) -> Iterator[object]:
    """The iterations of a loop, as long as the statement has any left."""
    left = context.resolve(_ROUNDS)
    for value in values:
        if not left:
            raise jinja2.TemplateRuntimeError(f"its loops go round more than {MOST_ROUNDS:,} times")
        left.pop()
        yield value


_ENVIRONMENT = _Environment(undefined=jinja2.StrictUndefined, finalize=_finalize, autoescape=False)
_ENVIRONMENT.filters = {
    **{name: _ENVIRONMENT.filters[name] for name in _FILTERS}, "round": _rounded, _ROUNDS: _counted
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Body:
    """A body without errors."""

    tree: nodes.Template
    """Its syntax tree."""
    path: Path
    """Its file."""
    names: Mapping[str, int]
    """Undeclared names, with the first line of each."""
    _template: jinja2.Template

    @classmethod
    def of(cls, text: str, path: Path) -> Body:
        """Parse a text whose line numbers are those of the file; one that was parsed lately is kept.

        Raises:
            UserError: not Jinja2, or more than a template may do; the message names file and line.
        """
        return _parsed(text, path)

    def render(self, values: Mapping[str, object]) -> str:
        """Render the body with these values.

        Raises:
            UserError: any error while rendering; the message names file and line.
        """
        parts, size = [], 0
        try:
            for part in self._template.generate({**values, _ROUNDS: [None] * MOST_ROUNDS}):
                parts.append(part)
                size += len(part)
                if size > MOST_CHARACTERS:
                    raise jinja2.TemplateRuntimeError(f"the statement is longer than {MOST_CHARACTERS:,} characters")
        except Exception as error:  # a division by zero, a part that is missing, what the sandbox refuses
            lines = [line for frame, line in walk_tb(error.__traceback__) if _is_of(frame.f_code, self.path)]
            raise _fault(self.path, lines[-1] if lines else 1, error) from None
        return "".join(parts)


@lru_cache(maxsize=256)
def _parsed(text: str, path: Path) -> Body:
    """What a workload asks of all schemas is read once a schema."""
    try:
        tree = _ENVIRONMENT.parse(text)
        for node in tree.find_all(_REFUSED):
            raise jinja2.TemplateSyntaxError("a template calls nothing and includes nothing", node.lineno)
        code = _ENVIRONMENT.compile(_bounded(_ENVIRONMENT.parse(text)), filename=str(path))
    except jinja2.TemplateSyntaxError as error:
        raise _fault(path, error.lineno, error) from None
    except Exception as error:  # nested too deeply for a parser, a number too long for Python
        raise _fault(path, 1, error) from None
    return Body(tree, path, _undeclared(tree), jinja2.Template.from_code(_ENVIRONMENT, code, {}))


def _undeclared(tree: nodes.Template) -> dict[str, int]:
    taken = meta.find_undeclared_variables(tree)
    found: dict[str, int] = {}
    for name in tree.find_all(nodes.Name):
        if name.name in taken:
            found.setdefault(name.name, name.lineno)
    return found


def _is_of(code: Any, path: Path) -> bool:
    return bool(code.co_filename == str(path))


def _bounded(tree: nodes.Template) -> nodes.Template:
    """The same tree, with the iterations of every loop counted."""
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, _ROUNDS, [], [], None, None, lineno=loop.lineno, environment=_ENVIRONMENT)
    return tree


def _fault(path: Path, line: int, error: Exception) -> UserError:
    message = " ".join(str(getattr(error, "message", None) or error).split()) or type(error).__name__
    return UserError(f"'{path}', line {line}: {message}", remedy=_REMEDY)
