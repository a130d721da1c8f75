"""What columns do not give, rows do: the error that says so."""

from __future__ import annotations

from skyshard.basics.errors import ClusterError


class NotByColumns(ClusterError):
    """Columns did not give these rows: they are read as rows. It is nobody's fault, and says nothing of the node."""
