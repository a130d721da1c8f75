"""Whole runs: trials, sweeps, the demo; each connects a testbed with the bench."""
