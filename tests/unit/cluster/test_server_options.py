"""Caches sized for the host."""

from __future__ import annotations

import pytest

from skyshard.cluster.server_options import czar_tuning, node_tuning

GIB = 2**30


@pytest.mark.parametrize("memory", [GIB // 4, GIB, 8 * GIB, 24 * GIB, 1024 * GIB])
@pytest.mark.parametrize("nodes", [1, 3, 25])
def test_all_caches_of_a_cluster_leave_most_memory_free(memory: int, nodes: int) -> None:
    """Nodes share a quarter of the memory, unless the smallest caches come to more."""
    tuning = node_tuning(nodes, memory)
    each_mib = tuning.key_buffer_mib + tuning.innodb_buffer_mib + tuning.aria_cache_mib
    assert each_mib <= max(56, memory / 2**20 / 4 / nodes)
    assert min(tuning.key_buffer_mib, tuning.aria_cache_mib) >= 8


def test_more_nodes_have_less_each() -> None:
    """The same memory, whatever the number of nodes."""
    one, four = node_tuning(1, 16 * GIB), node_tuning(4, 16 * GIB)
    assert one.innodb_buffer_mib == 4 * four.innodb_buffer_mib
    assert one.key_buffer_mib == 4 * four.key_buffer_mib


def test_the_czar_needs_little_on_a_small_host() -> None:
    """And never more than it did."""
    assert czar_tuning(GIB).innodb_buffer_mib == 32
    assert czar_tuning(1024 * GIB).innodb_buffer_mib == 256
