"""The registry: the truth about the cluster, in the czar's MariaDB.

``catalog`` is what queries read (pure values), ``tables`` the SQL tables, ``store`` reads and writes them,
``lifecycle`` says which states may follow which.
"""
