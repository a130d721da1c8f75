"""Verification of published tables, and their copy on the unsharded server."""
