"""Sends a schedule to a target on time."""
