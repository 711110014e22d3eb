"""What a run produces and records: results, run records, and the schema of the published tables."""
