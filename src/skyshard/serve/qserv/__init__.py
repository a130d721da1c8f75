"""Qserv's own REST interfaces: that of its czar, and that of its ingest system."""
