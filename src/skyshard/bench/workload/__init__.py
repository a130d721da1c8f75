"""What is asked: workload files, query templates, parameters, and the schedule made of them."""
