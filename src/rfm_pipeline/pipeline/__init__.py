"""Use cases over one destination: plan, run, audit, publish, roll back, backfill, calibrate."""
