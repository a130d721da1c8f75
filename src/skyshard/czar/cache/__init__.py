"""Plans that are kept, and when they may be used again."""
