"""Settings: what can be configured, where each value comes from, and how it is validated."""
