"""What the doors ask (``skyshard.serve.services``), made of an open testbed."""
