"""Backends: sharded and single MariaDB, PostgreSQL, SQLite, and the reference implementation."""
