"""The names of the registry's databases on the czar's server. Constants only."""

from __future__ import annotations

REGISTRY_DATABASE = "skyshard_registry"
INDEX_DATABASE = "skyshard_director_index"
"""Holds one table per director, ``<database>__<director>``: key, chunkId, subChunkId."""
