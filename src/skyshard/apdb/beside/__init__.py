"""What production forbids while visits run, done here on purpose: whole scans, daytime changes, dropped months."""
