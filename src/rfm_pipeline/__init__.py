"""RFM segmentation: one readable SQL query, and what runs it every day.

>>> import rfm_pipeline as rfm
>>> lines = [("ann", "A1", "2025-01-03", 20), ("ann", "A2", "2025-02-11", 35), ("bob", "B1", "2025-01-20", 9)]
>>> import pandas
>>> frame = pandas.DataFrame(lines, columns=["customer_id", "order_id", "date", "amount"])
>>> rfm.segment(frame)
<Segmentation: 2 customers, 3 orders, revenue 64.00, as of 2025-02-11>
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rfm_pipeline.api.chart import Chart
    from rfm_pipeline.api.compare import compare
    from rfm_pipeline.api.evaluate import evaluate
    from rfm_pipeline.api.segment import segment
    from rfm_pipeline.api.segment_summary import SegmentSummary
    from rfm_pipeline.api.segmentation import Segmentation
    from rfm_pipeline.comparison.result import SegmentComparison
    from rfm_pipeline.errors import AuditError as AuditError
    from rfm_pipeline.errors import RfmError as RfmError
    from rfm_pipeline.evaluation.result import Evaluation

from rfm_pipeline._version import __version__

__all__ = [
    "AuditError", "Chart", "Evaluation", "RfmError", "SegmentComparison", "SegmentSummary", "Segmentation",
    "__version__", "compare", "evaluate", "segment",
]  # fmt: skip

# Where each name is: the command line loads this package too, and none of these.
_ROOMS = {
    "AuditError": "errors",
    "Chart": "api.chart",
    "Evaluation": "evaluation.result",
    "RfmError": "errors",
    "SegmentComparison": "comparison.result",
    "SegmentSummary": "api.segment_summary",
    "Segmentation": "api.segmentation",
    "compare": "api.compare",
    "evaluate": "api.evaluate",
    "segment": "api.segment",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'rfm_pipeline' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"rfm_pipeline.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
