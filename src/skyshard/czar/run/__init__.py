"""Carries a plan out: rounds of units on the nodes, the merge, the stored result."""
