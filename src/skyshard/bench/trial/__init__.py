"""One trial from workload to folder."""
