"""Explanation of one customer: why the customer is in a segment, and what would change it."""
