"""The as-of dates `today` and `yesterday`: resolved once, in the shop's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from msgspec.structs import replace

from rfm_pipeline.cli.date_options import as_of_date
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import ConfigurationError, UsageError

# In Auckland it is the 2nd of March, in New York the 29th of February.
LATE = datetime(2024, 3, 1, 12, 30, tzinfo=UTC)
EARLY = datetime(2024, 3, 1, 3, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timezone", "started", "today", "yesterday"),
    [
        ("UTC", LATE, date(2024, 3, 1), date(2024, 2, 29)),
        ("Pacific/Auckland", LATE, date(2024, 3, 2), date(2024, 3, 1)),
        ("America/New_York", EARLY, date(2024, 2, 29), date(2024, 2, 28)),
    ],
)
def test_a_named_day_is_the_date_in_the_shops_time_zone(
    timezone: str, started: datetime, today: date, yesterday: date
) -> None:
    for name, expected in {"today": today, "yesterday": yesterday}.items():
        configuration = Configuration({"as_of": name, "timezone": timezone}, started=started)
        assert configuration.settings.as_of == expected


def test_a_preset_that_sets_the_time_zone_keeps_the_moment_of_the_start() -> None:
    columns = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
    night = datetime(2024, 6, 1, 23, 30, tzinfo=UTC)
    configuration = Configuration({"as_of": "today"}, started=night)
    recognised = configuration.for_source((*columns, "Country"))
    assert recognised.settings.timezone == "Europe/London"
    assert (configuration.settings.as_of, recognised.settings.as_of) == (date(2024, 6, 1), date(2024, 6, 2))


def test_a_named_day_changes_neither_the_layers_nor_the_hash() -> None:
    configuration = Configuration(file={"as_of": "yesterday"}, started=LATE)
    assert configuration.merged == {"as_of": "yesterday"}
    other = replace(configuration, started=EARLY)
    assert configuration.settings.config_hash == other.settings.config_hash


def test_since_is_compared_with_the_named_day() -> None:
    with pytest.raises(ConfigurationError, match="which is after `as_of`, 2024-02-29"):
        _ = Configuration({"as_of": "yesterday", "since": "2024-03-01"}, started=LATE).settings


def test_another_word_is_an_error_that_names_the_words() -> None:
    with pytest.raises(ConfigurationError, match="'latest', 'today' or 'yesterday'"):
        _ = Configuration({"as_of": "tomorrow"}).settings


def test_the_last_date_of_a_backfill_can_be_named() -> None:
    configuration = Configuration({"timezone": "Pacific/Auckland"}, started=LATE)
    assert as_of_date("--until", "yesterday", configuration.today) == date(2024, 3, 1)
    assert as_of_date("--until", "today", configuration.today) == date(2024, 3, 2)
    with pytest.raises(UsageError, match="--from is 'yesterday', which is not a date"):
        as_of_date("--from", "yesterday")
