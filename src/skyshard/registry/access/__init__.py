"""Who may ask the doors for what."""
