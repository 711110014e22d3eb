"""Shared by the tests of exports: a shop with a published result and contacts."""

from __future__ import annotations

import atexit
import csv
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import run
from support.cli import Outcome
from support.databases import database

CONTACTS = "contacts.csv"
HEADER = ("Customer ID", "E-Mail", "Mobile", "First", "Last", "Country", "Zip")

PEOPLE = {
    "c01": ("Ann.One+shop@gmail.com", "+44 20 7946 0001", "=cmd|'/c calc'!A0", "One Jr.", "uk", "SW1A 1AA"),
    "c02": (" TWO@Example.com ", "(650)555-1212", "Bo", "Two", "us", "94035-1234"),
    "c03": ("three@example.com", "", "@Cy", "O'Three", "Germany", "10115"),
    "c04": ("annone@gmail.com", "", "Ann", "One", "GB", ""),  # the same address as c01 by Google's rule
    "c05": ("not an address", "+1 650 555 1212", "Di", "Five", "us", "94035"),
    "c06": ("not an address", "", "", "", "", ""),
    "c07": ("", "", "Ed", "Seven", "", ""),
    "c08": ("two@example.com", "", "", "", "", ""),  # the same address as c02 by every rule
    # c09 and c10 have no contacts; the next two are not customers.
    "x01": ("nobody@example.com", "", "", "", "", ""),
    "x02": ("nobody.else@example.com", "", "", "", "", ""),
}
PERSONAL_DATA = sorted(
    {value.strip() for person in PEOPLE.values() for value in person[:4] if len(value.strip()) > 3}
    | {"ann.one+shop@gmail.com", "two@example.com", "+442079460001", "442079460001"}
)
"""Values that must not appear in a hashed file or on the terminal."""


def write_orders(folder: Path) -> None:
    """Write orders of ten customers: the lower a customer's number, the more and the later the orders."""
    with (folder / "orders.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "order_id", "order_date", "amount"])
        for number in range(1, 11):
            for order in range(11 - number):
                writer.writerow(
                    [f"c{number:02}", f"o{number}-{order}", f"2025-{12 - number:02}-{order + 1:02}", 50]
                )


def write_contacts(folder: Path) -> None:
    with (folder / CONTACTS).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows((customer, *person) for customer, person in PEOPLE.items())


@functools.cache
def _template_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="audience-shop-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_orders(folder)
    write_contacts(folder)
    run(
        Configuration(flags={"source": f"{folder}/orders.csv", "to": f"duckdb:{folder}/rfm.duckdb"}),
        NullObserver(),
    )
    return folder


def copy_shop(folder: Path) -> None:
    """Copy orders, contacts and the published result into a folder; they are created once per process."""
    for name in ("orders.csv", CONTACTS, "rfm.duckdb"):
        shutil.copy(_template_folder() / name, folder / name)


def published_rows(folder: Path, columns: str = "*") -> list[dict[str, Any]]:
    """Return the rows of the current result, ordered by customer id."""
    with database(folder / "rfm.duckdb") as connection:
        cursor = connection.execute(f"SELECT {columns} FROM rfm_segments ORDER BY customer_id")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file as dictionaries by heading."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def assert_refused(outcome: Outcome, error: str, hint: str, code: int = 2) -> None:
    assert (outcome.code, outcome.stdout) == (code, "")
    error_line, hint_line = outcome.stderr.splitlines()
    assert error in error_line
    assert hint in hint_line
