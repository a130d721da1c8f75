"""Phases of visits: tiles as clients that read, associate and store, timed and compared with the truth."""
