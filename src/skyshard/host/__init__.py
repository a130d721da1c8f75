"""What this process asks of its machine: signals, process names, processors, disk space, shipped data."""
