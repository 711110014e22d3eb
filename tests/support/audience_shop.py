"""What the tests of exports share: a shop with a result, its contacts, and who is to be reached."""

from __future__ import annotations

import atexit
import csv
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import run
from support.cli import Outcome

CONTACTS = "contacts.csv"
HEADER = ("Customer ID", "E-Mail", "Mobile", "First", "Last", "Country", "Zip")

PEOPLE = {
    "c01": ("Ann.One+shop@gmail.com", "+44 20 7946 0001", "=cmd|'/c calc'!A0", "One Jr.", "uk", "SW1A 1AA"),
    "c02": (" TWO@Example.com ", "(650)555-1212", "Bo", "Two", "us", "94035-1234"),
    "c03": ("three@example.com", "", "@Cy", "O'Three", "Germany", "10115"),
    "c04": ("annone@gmail.com", "", "Ann", "One", "GB", ""),  # to Google, c01 again
    "c05": ("not an address", "+1 650 555 1212", "Di", "Five", "us", "94035"),
    "c06": ("not an address", "", "", "", "", ""),
    "c07": ("", "", "Ed", "Seven", "", ""),
    "c08": ("two@example.com", "", "", "", "", ""),  # to everybody, c02 again
    # c09 and c10 are not among the contacts, and these two are no customers:
    "x01": ("nobody@example.com", "", "", "", "", ""),
    "x02": ("nobody.else@example.com", "", "", "", "", ""),
}
PERSONAL = sorted(
    {value.strip() for person in PEOPLE.values() for value in person[:4] if len(value.strip()) > 3}
    | {"ann.one+shop@gmail.com", "two@example.com", "+442079460001", "442079460001"}
)
"""What must be in no file that is hashed, and on no terminal."""


def make_shop(folder: Path) -> None:
    """Orders of ten customers; the lower the number, the more and the later."""
    with (folder / "orders.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["customer_id", "order_id", "order_date", "amount"])
        for number in range(1, 11):
            for order in range(11 - number):
                lines.writerow(
                    [f"c{number:02}", f"o{number}-{order}", f"2025-{12 - number:02}-{order + 1:02}", 50]
                )


def make_contacts(folder: Path) -> None:
    with (folder / CONTACTS).open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(HEADER)
        lines.writerows((customer, *person) for customer, person in PEOPLE.items())


@functools.cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="audience-shop-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_shop(folder)
    make_contacts(folder)
    run(
        Configuration(flags={"source": f"{folder}/orders.csv", "to": f"duckdb:{folder}/rfm.duckdb"}),
        NullObserver(),
    )
    return folder


def lay_out(folder: Path) -> None:
    """Puts orders, contacts and the published result into a folder; they are made once a process."""
    for name in ("orders.csv", CONTACTS, "rfm.duckdb"):
        shutil.copy(_made() / name, folder / name)


def published(folder: Path, columns: str = "*") -> list[dict[str, Any]]:
    """The rows of the current result, in the order of the customers."""
    with duckdb.connect(str(folder / "rfm.duckdb"), read_only=True) as connection:
        cursor = connection.execute(f"SELECT {columns} FROM rfm_segments ORDER BY customer_id")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a file, by its headings."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def refused(ended: Outcome, error: str, hint: str, code: int = 2) -> None:
    assert (ended.code, ended.stdout) == (code, "")
    first, second = ended.stderr.splitlines()
    assert error in first
    assert hint in second
