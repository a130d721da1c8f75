"""Databases as queries read them: published tables, replicas, the director index, generations."""
