"""Checks a cluster: every server over SQL, every worker beside its server, and what they are to each other."""
