"""What monitoring reads: metrics of Prometheus, and whether the process lives and is ready."""
