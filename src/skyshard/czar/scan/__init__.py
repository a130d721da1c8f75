"""Chunk statements on one node: sessions, the scan lane, its schedule and its throttle."""
