"""Queries that ran, and the registry's rows behind a story."""
