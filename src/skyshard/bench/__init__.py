"""The benchmark: workloads, schedules, a driver, checked answers and the trial folder.

It sees a query engine only through ``targets``; it knows neither czar nor cluster.
"""
