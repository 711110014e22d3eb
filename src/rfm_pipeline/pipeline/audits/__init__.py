"""Audits: checks of the staged result that decide whether it may be published."""
