"""One ingest transaction from its beginning to its end, and what an interrupted one leaves."""
