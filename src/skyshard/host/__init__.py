"""What depends on the machine: signals, process names, processors, disk space, shipped data."""
