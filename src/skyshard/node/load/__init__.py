"""From sorted rows to chunk tables of one node."""
