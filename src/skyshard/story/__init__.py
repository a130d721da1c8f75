"""What happened to a query, a transaction or a node, in order: from the registry and the files of events."""
