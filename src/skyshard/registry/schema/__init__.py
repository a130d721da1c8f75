"""Versions of the registry's tables, the steps from one to the next, and the lock that a change needs."""
