"""The BigQuery engine: jobs, staging, publishing, loading and export."""
