"""What leaves the alert production database: replica chunks copied in order into a published database, then deleted."""
