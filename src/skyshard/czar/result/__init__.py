"""Rows with their types, the answer, and how far a query has come."""
