"""The report of a destination's result: one HTML page, and single charts as files."""
