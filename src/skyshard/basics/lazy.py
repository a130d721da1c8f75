"""Lazy names: exports of a package, modules and attributes that are made at first use.

Rules: a package that exports lazily lists its names for readers, for type checkers and for the importer; a test
compares the lists. An attribute is made once, however many threads read it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import Any, Generic, Self, TypeVar, overload

Value = TypeVar("Value")
Owner = TypeVar("Owner")
_MISSING = object()


def lazy_exports(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names are imported at first use (PEP 562).

    Args:
        homes: the module of each name, relative to the package.

    >>> find = lazy_exports("collections", {"Mapping": "abc"})
    >>> find("Mapping").__module__
    'collections.abc'
    """

    def find(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        value = getattr(import_module(f"{package}.{home}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return find


class _LazyModule(ModuleType):
    """Stands in for a module, which is imported when one of its names is first used."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value


def lazy_module(name: str) -> Any:
    """A module that is imported at first use, for packages that take long to import and are rarely needed.

    >>> ast = lazy_module("ast")
    >>> ast.literal_eval("1")
    1
    """
    return _LazyModule(name)


class locked_property(Generic[Owner, Value]):  # noqa: N801  (read as a decorator, like cached_property)
    """A property whose value is made once, by the first thread that reads it; other threads wait.

    ``functools.cached_property`` has no lock since Python 3.12: several threads could each make a value.
    """

    def __init__(self, make: Callable[[Owner], Value]) -> None:
        self._make = make
        self._lock = RLock()
        self._name = ""
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type[Owner], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type[Owner]) -> Self: ...
    @overload
    def __get__(self, instance: Owner, owner: type[Owner]) -> Value: ...
    def __get__(self, instance: Owner | None, owner: type[Owner]) -> Self | Value:
        if instance is None:
            return self
        made = vars(instance)
        with self._lock:
            if (found := made.get(self._name, _MISSING)) is _MISSING:
                found = made[self._name] = self._make(instance)
        value: Value = found
        return value


def made_of(instance: object, name: str) -> Any:
    """The value of a ``locked_property``, or None if it was never read."""
    return vars(instance).get(name)
