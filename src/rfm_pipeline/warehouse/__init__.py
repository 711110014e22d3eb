"""Running SQL: where the query goes and what comes back. What it says is the business of `sql/`."""
