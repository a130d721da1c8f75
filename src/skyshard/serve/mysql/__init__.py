"""The MySQL door: sessions relayed to a MariaDB that has every table empty, catalog answers streamed as rows."""
