"""Ingest transactions: contributions, steps of a commit, reports, rows without a transaction."""
