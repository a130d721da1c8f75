"""Adapters: one for each way in which catalogs are handed over."""
