"""Stored rows as they come from the nodes, and what is laid aside of them while a table is compared."""
