"""What releases are shown as: HTML pages."""
