"""Skyshard: an open testbed for survey databases.

``Testbed`` is the Python API; everything that the commands do goes through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skyshard.release import VERSION

__version__ = VERSION

if TYPE_CHECKING:
    from skyshard.testbed import Testbed

__all__ = ["Testbed", "__version__"]


def __getattr__(name: str) -> Any:
    """``Testbed`` is imported when it is first asked for: ``skyshard locate`` should not wait for a database driver."""
    if name == "Testbed":
        from skyshard.testbed import Testbed

        return Testbed
    raise AttributeError(f"module 'skyshard' has no attribute '{name}'")
