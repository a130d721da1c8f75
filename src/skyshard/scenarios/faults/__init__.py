"""Faults of a scenario on the servers of a testbed."""
