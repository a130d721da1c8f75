"""Workload files, query templates, parameters, and the schedule made from them."""
