"""`rfm calibrate`: a run that publishes no result, and records the edges that later runs score by."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from rfm_pipeline.config.loader import Configuration, merge
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run import run
from rfm_pipeline.results.run_result import RunResult

# The configuration of runs with frozen edges is also the one to calibrate anew.
_CALIBRATION = {"scoring": {"edges": "recomputed", "calibration": "latest"}, "output": ()}


def calibrate(configuration: Configuration, observer: RunObserver, *, today: date | None = None) -> RunResult:
    """Stage and audit as a run does, and record the edges, which are recomputed whatever is configured.

    Args:
        configuration: All layers of settings; outputs are not written.
        observer: Receives the progress.
        today: As for `open_plan`.

    Raises:
        AuditError: If an audit failed; no calibration is recorded.
        RfmError: If anything else failed; no calibration is recorded either.
    """
    calibration = replace(configuration, flags=merge([configuration.flags, _CALIBRATION]))
    _refuse_nothing_to_freeze(calibration.settings)
    return run(calibration, observer, kind="calibration", today=today)


def _refuse_nothing_to_freeze(settings: Settings) -> None:
    if all(dimension.method != "quantile" for dimension in settings.scoring.dimensions):
        raise ConfigurationError(
            "There is nothing to calibrate: no dimension is scored by method = 'quantile', and no other has"
            " edges that come from the customers.",
            "`rfm run` scores the same way each time.",
        )
