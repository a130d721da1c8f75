"""Where servers listen, as errors name it, and what is said when they do not."""

from __future__ import annotations

import pytest

from skyshard.db.endpoint import SQL_MODE, Account, Endpoint


@pytest.mark.parametrize(
    ("endpoint", "text", "name", "is_off_host"),
    [
        (Endpoint(socket="/run/s/node1.sock"), "/run/s/node1.sock", "node1", False),
        (Endpoint(port=3307), "127.0.0.1:3307", "127.0.0.1:3307", False),
        (Endpoint(host="::1", port=3307, label="czar"), "czar (::1:3307)", "czar", False),
        (Endpoint(host="db7", port=3307, label="node7"), "node7 (db7:3307)", "node7", True),
        (Endpoint(socket="/run/x.sock", host="db7", label="node7"), "node7 (/run/x.sock)", "node7", False),
    ],
)
def test_an_endpoint_is_named_by_its_label_or_its_place(
    endpoint: Endpoint, text: str, name: str, is_off_host: bool
) -> None:
    """A socket is on this host, whatever host is beside it."""
    assert (str(endpoint), endpoint.name, endpoint.is_off_host) == (text, name, is_off_host)


def test_the_remedy_fits_whoever_runs_the_server() -> None:
    """A private one is looked up by status; one that others run by where it is run."""
    private, here, there = (
        Endpoint(socket="/run/node1.sock"), Endpoint(socket="/run/a.sock", label="a"), Endpoint("", "db7", 1, label="a")
    )  # fmt: skip
    assert "skyshard cluster status" in private.when_lost
    assert "runs on this host" in here.when_lost
    assert "whether the port is open" in there.when_lost


def test_accounts_that_only_read_take_statements_as_users_write_them() -> None:
    """Whoever writes is strict: a value that does not fit is an error, never a warning."""
    strict = {account for account in Account if "STRICT_ALL_TABLES" in SQL_MODE[account]}
    assert strict == {Account.ADMIN, Account.LOADER, Account.WRITER}
    assert [account.duty for account in Account] == ["admin", "loader", "reader", "carrier", "writer"]
