"""The life of databases as wholes: what there is, other names, aliases, their end."""
