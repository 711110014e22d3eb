"""Readers of delimited text files."""
