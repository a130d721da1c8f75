"""Finds truth values where a file's model wants a number. No I/O.

YAML reads ``yes``, ``no``, ``on`` and ``off`` as true and false, and to Python those are 1 and 0: a sentinel ``no``
would stand for 0, and nobody would be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

Place = tuple[str | int, ...]


def truth_for_number(model: type[BaseModel], content: object) -> Place | None:
    """The key, from the top, of the first truth value that a model takes for a number; None where there is none.

    Args:
        content: what the model has validated.

    >>> class Scan(BaseModel):
    ...     shares: list[float] = []
    ...     limit: bool | int = False
    >>> truth_for_number(Scan, {"shares": [1, False]}), truth_for_number(Scan, {"shares": [1, 0], "limit": True})
    (('shares', 1), None)
    """
    return next(_in_model(model, content, ()), None)


def _in_model(model: type[BaseModel], content: object, place: Place) -> Iterator[Place]:
    if not isinstance(content, Mapping):
        return
    for name, field in model.model_fields.items():
        for key in {name, field.alias or name} & content.keys():
            yield from _in_value(list(_kinds(field.annotation)), content[key], (*place, key))


def _in_value(kinds: Sequence[Any], content: object, place: Place) -> Iterator[Place]:
    if isinstance(content, bool):
        if {int, float} & {*kinds} and bool not in kinds:
            yield place
    elif isinstance(content, Mapping):
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _in_model(kind, content, place)
        items = [arguments[1] for kind in kinds if len(arguments := _arguments(kind, Mapping)) == 2]
        for key, value in content.items() if items else ():
            yield from _in_value([one for item in items for one in _kinds(item)], value, (*place, key))
    elif isinstance(content, list | tuple):
        items = [item for kind in kinds for item in _arguments(kind, Sequence)]
        for number, value in enumerate(content if items else ()):
            yield from _in_value([one for item in items for one in _kinds(item)], value, (*place, number))


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types of which a value may be one, literals by the types of their values."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _kinds(arguments[0])
    elif origin in (Union, UnionType):
        for one in arguments:
            yield from _kinds(one)
    elif origin is Literal:
        yield from {type(value) for value in arguments}
    else:
        yield annotation


def _arguments(kind: Any, family: type) -> tuple[Any, ...]:
    """What a mapping or a sequence is of; nothing for other types."""
    origin = get_origin(kind)
    return get_args(kind) if isinstance(origin, type) and issubclass(origin, family) else ()
