"""The doors: one process that answers clients over HTTP and the MySQL protocol; it sees the czar through Protocols."""
