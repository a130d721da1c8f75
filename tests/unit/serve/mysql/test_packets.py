"""Errors as packets."""

from __future__ import annotations

from skyshard.serve.mysql.packets import error, error_of


def test_an_error_shows_any_statement() -> None:
    """One that is no text, too, as it came in bytes; it is cut between letters."""
    shown = b"\xf6 said".decode("utf-8", "surrogateescape")
    assert error_of(error(4003, "Proxy", f"no: {shown}")) == (4003, "no: ? said")
    assert error_of(error(4003, "Proxy", "é" * 400)) == (4003, "é" * 255)
