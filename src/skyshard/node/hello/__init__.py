"""What a worker says of its host, and the proof that its server and it share one data folder."""
