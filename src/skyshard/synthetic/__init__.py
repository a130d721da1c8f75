"""Bridges between synthesis and ingest: a recipe as a source, and what its generator knows of the rows."""
