"""The BigQuery engine: connection, jobs, staging, publishing, loading, export and errors."""
