"""SQL connections and sessions of MariaDB servers."""
