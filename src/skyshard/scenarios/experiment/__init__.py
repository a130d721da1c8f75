"""Runs experiments: set-ups, trials in blocks, and the folder that makes a run resumable."""
