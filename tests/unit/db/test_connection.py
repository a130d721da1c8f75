"""Connections where nobody listens."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.db.connection import Account, Endpoint, connect


def test_a_socket_without_server_is_a_retryable_cluster_error() -> None:
    """Nobody listens: the cluster's fault, said with the socket's path."""
    with pytest.raises(ClusterError, match=r"/nowhere/x\.sock: no server answers") as caught:
        connect(Endpoint(socket="/nowhere/x.sock"), Account.READER)
    assert caught.value.retryable
