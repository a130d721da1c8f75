"""What a query costs on a machine: its work, the prices that trials tell, hardware, published tests. No servers."""
