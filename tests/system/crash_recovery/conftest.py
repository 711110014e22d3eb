"""Fixtures of the fault and kill tests on BigQuery."""

from support.bigquery_faults import fault_scene, scene

__all__ = ["fault_scene", "scene"]
