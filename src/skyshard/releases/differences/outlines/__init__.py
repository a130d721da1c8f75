"""What is kept of every row to match it: words of its key, position, and groups, by chunk."""
