"""Whole runs: a trial, a sweep, the demo; each wires a testbed with the bench."""
