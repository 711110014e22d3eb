"""Validation of a user's SQL before it becomes part of a query."""
