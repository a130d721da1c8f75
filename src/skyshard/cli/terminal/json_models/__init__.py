"""Models of what commands print with ``--json``, by family of commands."""
