"""ADQL, the query language of the Virtual Observatory, as statements of the czar. Knows tables by name only; no I/O."""
