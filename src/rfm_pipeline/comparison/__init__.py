"""Comparison of two segmentations of customers: two tables, dates, destinations or configurations."""
