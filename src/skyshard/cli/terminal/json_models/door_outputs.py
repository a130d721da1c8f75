"""What ``skyshard token`` prints with ``--json``, as models. No I/O."""

from __future__ import annotations

from typing import Literal

from skyshard.cli.terminal.json_models.output import Output


class TokenMadeOutput(Output):
    """``token create``."""

    name: str
    scope: str
    quota: dict[str, float]
    """What it says itself: name → number, 0 for no limit."""
    token: str
    """What clients send; it cannot be shown again."""


class TokenOutput(Output):
    """One of ``token list``."""

    name: str
    scope: str
    quota: dict[str, float]
    """As of ``token create``."""
    made_s: float
    """Seconds since 1970."""


class TokenQuotaOutput(Output):
    """``token quota``."""

    name: str
    quota: dict[str, float]
    """As of ``token create``; empty: as the doors say."""


class TokenRevokedOutput(Output):
    """``token revoke``."""

    name: str
    revoked: Literal[True]
