"""Query engines other than the testbed that a workload can be run against."""
