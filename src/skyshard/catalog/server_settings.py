"""Settings of servers, as people write them in cluster files: by role or server, name → value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from skyshard.catalog.strict_files import broken_rule
from skyshard.cluster.setting_names import SettingError, plain_name, require_choosable
from skyshard.cluster.settings import require_value


def _as_written(value: Any) -> Any:
    """YAML reads ON and OFF as truth values and 8388608 as a number: both are values of settings."""
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    return str(value) if isinstance(value, int | float) else value


Options = dict[str, Annotated[str, BeforeValidator(_as_written)]]


def checked_options(
    options: Mapping[str, Options],
    places: Collection[str] | Callable[[str], object],
    key: tuple[str, ...] = ("options",),
) -> dict[str, Options]:
    """The settings with plain names.

    Args:
        places: the servers and roles that there are, or what tells whether a name is one.
        key: where the settings are in the file.

    Raises:
        ValueError: a place that there is not, or a setting that cannot be chosen; as ``broken_rule`` says it.
    """
    found: dict[str, Options] = {}
    for place, settings in options.items():
        if not (places(place) if callable(places) else place in places):
            raise broken_rule("there is no such server", (*key, place), "write nodes, a node's name, czar or mono")
        for name, value in settings.items():
            try:
                require_choosable(plain_name(name))
                require_value(name, value)
            except SettingError as error:
                raise broken_rule(error.what, (*key, place, name), error.remedy) from None
            found.setdefault(place, {})[plain_name(name)] = value
    return found
