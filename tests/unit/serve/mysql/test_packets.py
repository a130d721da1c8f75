"""Errors as packets."""

from __future__ import annotations

from skyshard.basics.errors import ClusterError, UserError
from skyshard.serve.mysql.errors import error_packet, unknown_query
from skyshard.serve.mysql.packets import error, error_of


def test_an_error_shows_any_statement() -> None:
    """One that is no text, too, as it came in bytes; it is cut between letters."""
    shown = b"\xf6 said".decode("utf-8", "surrogateescape")
    assert error_of(error(4003, "Proxy", f"no: {shown}")) == (4003, "no: ? said")
    assert error_of(error(4003, "Proxy", "é" * 400)) == (4003, "é" * 255)


def test_an_error_of_a_server_says_no_place() -> None:
    """What a client gave stays as it is."""
    gone, wrong = ClusterError("node1: /run/sky/node1.sock is gone"), UserError("'/run/sky/x' is no table")
    assert error_of(error_packet(gone))[1] == "node1: (a path) is gone"
    assert error_of(unknown_query(7, gone))[1] == "Unknown query 7: node1: (a path) is gone"
    assert error_of(error_packet(wrong))[1] == "'/run/sky/x' is no table"
