"""The query engine: SQL in, Arrow out, over chunks on many nodes; ``czar`` is the door, ``mono`` the oracle."""
