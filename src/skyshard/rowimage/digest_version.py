"""The version of row digests, apart from their arithmetic: every command that opens a registry reads it."""

from __future__ import annotations

DIGEST_VERSION = 1
"""Kept with a registry, so that digests of another version are never compared."""
