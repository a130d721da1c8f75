"""What all HTTP doors share: a server within our event loop, who asks, limits, errors in one line."""
