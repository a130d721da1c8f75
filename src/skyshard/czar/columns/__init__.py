"""Scans over columns: which statements columns answer exactly as MariaDB does, and the engine that computes them."""
