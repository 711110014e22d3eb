"""CDNOW, a public data set of real orders, and what has been published about it.

The purchases up to the end of June 1998 of the 23,570 customers who first bought at CDNOW in the first
quarter of 1997 (Fader and Hardie 2001, "Forecasting Repeat Sales at CDNOW: A Case Study", Interfaces 31).
The files come from the wheel of `lifetimes` 0.11.3 (MIT), a test dependency that is installed without its own
dependencies and never imported.

- `CDNOW_master.txt`: all 69,659 transactions (http://brucehardie.com/notes/026/).
- `CDNOW_sample.txt`: a systematic 1/10 sample of the customers: 6,919 transactions of 2,357 customers.
- `cdnow_customers_summary_with_transactions.csv`: the published RFM summary of that sample as of 1997-09-30
  (http://brucehardie.com/notes/022/).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from support.databases import empty_database

MASTER_TRANSACTIONS: Final = 69_659
MASTER_CUSTOMERS: Final = 23_570
SAMPLE_TRANSACTIONS: Final = 6_919
SAMPLE_CUSTOMERS: Final = 2_357
LAST_DATE: Final = date(1998, 6, 30)
CALIBRATION_END: Final = date(1997, 9, 30)
"""The day as of which the summary was made: 39 weeks."""


@dataclass(frozen=True)
class Transaction:
    """One line of a data set: the compact discs that a customer bought at once."""

    customer_id: str
    ordered_on: date
    discs: int
    amount: Decimal


@dataclass(frozen=True)
class Summary:
    """The published figures of one customer of the sample, as of `CALIBRATION_END`.

    Attributes:
        repeat_orders: Days with a purchase after the day of the first one.
        weeks_to_last: Weeks from the first purchase to the last one, rounded to two decimals.
        weeks_observed: Weeks from the first purchase to `CALIBRATION_END`, rounded to two decimals.
        repeat_average: Average amount of a repeat order, rounded to cents; 0 if there is none.
    """

    repeat_orders: int
    weeks_to_last: Decimal
    weeks_observed: Decimal
    repeat_average: Decimal


def _file(name: str) -> Path:
    return Path(str(distribution("lifetimes").locate_file(f"lifetimes/datasets/{name}")))


def sample_file() -> Path:
    """Return the file of the sample: both ids of the customer, day, discs and amount, separated by blanks."""
    return _file("CDNOW_sample.txt")


def master() -> list[Transaction]:
    """Return all transactions, in the order of the file."""
    _, *lines = _file("CDNOW_master.txt").read_text(encoding="ascii").splitlines()
    return [_transaction(*line.split()) for line in lines]


def sample() -> list[Transaction]:
    """Return the transactions of the sample, with the customer ids that the summary uses ('1' to '2357')."""
    lines = sample_file().read_text(encoding="ascii").splitlines()
    transactions = [_transaction(*line.split()[1:]) for line in lines]
    return [
        Transaction(str(int(one.customer_id)), one.ordered_on, one.discs, one.amount) for one in transactions
    ]


def _transaction(customer_id: str, day: str, discs: str, amount: str) -> Transaction:
    ordered_on = date(int(day[:4]), int(day[4:6]), int(day[6:]))
    return Transaction(customer_id, ordered_on, int(discs), Decimal(amount))


def summaries() -> dict[str, Summary]:
    """Return the published summary of each customer of the sample by customer id."""
    with _file("cdnow_customers_summary_with_transactions.csv").open(encoding="ascii", newline="") as file:
        return {
            row["ID"]: Summary(int(row["x"]), Decimal(row["t_x"]), Decimal(row["T"]), Decimal(row["zbar"]))
            for row in csv.DictReader(file)
        }


def write_csv(transactions: list[Transaction], path: Path) -> Path:
    """Write transactions to a CSV file; the transactions of a customer on one day are one order."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "order_id", "ordered_at", "discs", "amount"])
        for one in transactions:
            order_id = f"{one.customer_id}-{one.ordered_on}"
            writer.writerow([one.customer_id, order_id, one.ordered_on, one.discs, one.amount])
    return path


def write_parquet(transactions: list[Transaction], path: Path) -> Path:
    """Write the same columns to a Parquet file, with their types."""
    lines = write_csv(transactions, path.with_suffix(".csv"))
    with empty_database() as connection:
        types = "{'customer_id': 'VARCHAR', 'amount': 'DECIMAL(12, 2)'}"
        connection.execute(f"COPY (FROM read_csv('{lines}', types = {types})) TO '{path}' (FORMAT parquet)")
    lines.unlink()
    return path
