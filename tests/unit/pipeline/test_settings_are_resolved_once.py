"""A run parses its locations with its settings, resolves these once, and validates the segment map once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rfm_pipeline.config import settings as settings_module
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import run

HEADERS = {
    "own columns": "customer,order,date,amount\nann,A1,2025-01-03,20\n",
    "a recognised export": (
        "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n1,a,2,2011-01-03,5,7\n"
    ),
}


@pytest.mark.parametrize(("source", "times"), [("own columns", 1), ("a recognised export", 2)])
def test_settings_are_resolved_once_and_once_more_with_the_preset_of_an_export(
    source: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Counter[str]()

    def counting(name: str, function: Any) -> Any:
        def counted(*arguments: Any) -> Any:
            calls[name] += 1
            return function(*arguments)

        return counted

    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text(HEADERS[source], encoding="utf-8")
    for name in ("parse_source", "parse_destination"):
        monkeypatch.setattr(settings_module, name, counting(name, getattr(settings_module, name)))
    monkeypatch.setattr(Settings, "of", counting("settings", Settings.of))
    monkeypatch.setattr(SegmentMap, "from_config", counting("segment map", SegmentMap.from_config))
    configuration = Configuration(flags={"source": "orders.csv", "to": "duckdb:rfm.duckdb"})
    result = run(configuration, NullObserver())
    assert result.statistics.customers == 1
    assert calls == {
        "parse_source": 1,
        "parse_destination": 1,
        "settings": times,
        "segment map": 1,
    }
