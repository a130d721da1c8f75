"""Visits and what they find, drawn from a seed, so that every answer is known without a database."""
