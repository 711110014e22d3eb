"""The questions whose queries are compared with golden files and analysed by GoogleSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.sql.transitions import Scored
from support.engines import Question
from support.generated import preset

LINES: Mapping[str, str] = {
    "Customer ID": "INT64",
    "Invoice": "STRING",
    "InvoiceDate": "TIMESTAMP",
    "Quantity": "INT64",
    "Price": "NUMERIC",
    "Country": "STRING",
}


EXPORT: Mapping[str, str] = {
    "email": "STRING",
    "order_id": "STRING",
    "order_date": "STRING",
    "total": "STRING",
    "refunded": "STRING",
    "status": "STRING",
}


GERMANY = {"other_country": {"column": "Country", "not_equals": ["Germany"]}}


QUERIES: Mapping[str, Question] = {
    "net": Question(LINES, settings={"returns": "net", "timezone": "Europe/Berlin", "exclude": GERMANY}),
    "moving-window": Question(LINES, settings={"window": "24 months", "returns": "net"}),
    "text-columns": Question(
        EXPORT,
        settings={
            "columns": {"refund": "refunded"},
            "date_format": ["iso", "%d.%m.%Y %H:%M"],
            "decimal": ",",
            "timezone": "Europe/Berlin",
            "skip": {"no_total": {"column": "total", "blank": True}},
            "exclude": {"test_order": "email LIKE '%@example.com' OR status = 'test'"},
        },
    ),
    "text-numbers": Question(
        {"customer_id": "STRING", "ordered_at": "DATE", "quantity": "STRING", "price": "STRING"}
    ),
    "text-thousands": Question(
        {"customer_id": "STRING", "ordered_at": "DATE", "amount": "STRING"}, settings={"thousands": ","}
    ),
    "fixed-and-ntile": Question(
        LINES,
        settings={
            "as_of": "2024-12-31",
            "window": "365 days",
            "scoring": {
                "recency": {"method": "fixed", "edges": [30, 90, 365]},
                "frequency": {"method": "ntile"},
                "monetary": {"method": "fixed", "edges": [50, 250.5, 1000]},
            },
        },
    ),
    "frozen": Question(
        LINES,
        settings={
            "scoring": {
                "bins": 3,
                "frequency": {"method": "fixed", "edges": [1, 2]},
                "monetary": {"bins": 2},
            },
            "segments": {"rules": [{"segment": "Best", "r": 3, "m": 2}], "fallback": "Others"},
        },
        frozen={"recency": ["-1", "47"], "monetary": ["123456789012.123456789"]},
    ),
    "ten-bins": Question(
        {"customer_id": "STRING", "ordered_at": "DATE", "amount": "NUMERIC"},
        settings={
            "scoring": {"bins": 10},
            "segments": {"rules": [{"segment": "Best", "r": ">=9", "fm": 10}], "fallback": "Others"},
        },
    ),
}


def scored(day: date, name: str, edges: Mapping[str, Sequence[str] | None], **changed: Any) -> Scored:
    """How a date was scored and segmented, by a preset and what is changed of it."""
    settings = Configuration(flags={**preset(name), **changed}).settings()
    return Scored(
        day,
        settings.scoring.dimensions,
        {name: None if known is None else tuple(map(Decimal, known)) for name, known in edges.items()},
        SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension),
    )


JANUARY, FEBRUARY = date(2025, 1, 31), date(2025, 2, 28)


EDGES: Mapping[str, Sequence[str]] = {
    "recency": ["20", "60", "150"], "frequency": ["1", "2", "5"], "monetary": ["9.99", "50", "250.5"],
}  # fmt: skip


BY_RANK: Mapping[str, None] = dict.fromkeys(EDGES)


BY_DAYS_AND_RANK: Mapping[str, Sequence[str] | None] = {**EDGES, "frequency": None}


def _by_days(*edges: str) -> Mapping[str, Any]:
    return {"recency": {"method": "fixed", "edges": edges}, "frequency": {"method": "ntile"}}


TRANSITIONS: Mapping[str, tuple[Scored, Scored]] = {
    "transitions": (scored(JANUARY, "classic", EDGES), scored(FEBRUARY, "classic", EDGES)),
    "transitions-of-ranks": (
        scored(JANUARY, "pymc", BY_RANK, scoring={"bins": 4, "method": "ntile"}),
        scored(FEBRUARY, "grid", BY_RANK, scoring={"bins": 5, "method": "ntile"}),
    ),
    # Of the three dimensions only one was set otherwise.
    "transitions-of-set-edges": (
        scored(JANUARY, "classic", BY_DAYS_AND_RANK, scoring=_by_days("20", "60", "150")),
        scored(
            FEBRUARY,
            "classic",
            {**BY_DAYS_AND_RANK, "recency": ["10", "30", "90"]},
            scoring=_by_days("10", "30", "90"),
        ),
    ),
}
