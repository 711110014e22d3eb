"""One module per scheduler: what it takes to start a run there every day."""
