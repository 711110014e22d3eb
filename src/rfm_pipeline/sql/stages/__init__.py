"""The stages of the query; in order: clean, metrics, scores, segments."""
