"""Experiments: factors and levels, cells, the order of trials, and what the trials show. No servers."""
