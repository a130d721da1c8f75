"""What a loader does to the server beside it: sessions, files, clearing, merge tables."""
