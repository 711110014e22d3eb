"""`rfm calibrate`: a run that publishes nothing, and leaves its edges for later runs to score by."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from rfm_pipeline.config.loader import Configuration, merge
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run import execute_run
from rfm_pipeline.results.run_result import RunResult

# A configuration whose runs are frozen is the one that is calibrated anew.
_CALIBRATION = {"scoring": {"edges": "recomputed", "calibration": "latest"}, "output": ()}


def calibrate(configuration: Configuration, watcher: RunObserver, *, today: date | None = None) -> RunResult:
    """Stages and audits as a run does, and puts the edges on record. They are recomputed, whatever is configured.

    Args:
        configuration: All layers of settings; outputs are not written.
        watcher: Told what is going on.
        today: As for `planned`.

    Raises:
        AuditError: An audit failed.
        RfmError: Anything else; there is no calibration either.
    """
    asked = replace(configuration, flags=merge([configuration.flags, _CALIBRATION]))
    _refuse_nothing_to_freeze(asked.settings())
    result = execute_run(lambda _: False, asked, watcher, kind="calibration", today=today)
    assert result is not None  # nothing was to stop it
    return result


def _refuse_nothing_to_freeze(settings: Settings) -> None:
    if all(dimension.method != "quantile" for dimension in settings.scoring.dimensions):
        raise ConfigurationError(
            "There is nothing to calibrate: no dimension is scored by method = 'quantile', and no other has"
            " edges that come from the customers.",
            "`rfm run` scores the same way each time.",
        )
