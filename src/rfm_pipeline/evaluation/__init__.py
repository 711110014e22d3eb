"""Evaluation: how well scores of a date in the past separate the customers who bought afterwards."""
