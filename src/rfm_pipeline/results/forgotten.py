"""Customers that `rfm forget` removed and that later runs leave out, recorded as keyed hashes of ids."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct, field

from rfm_pipeline.results.json_values import to_plain
from rfm_pipeline.results.run_record import Checksum, RunRecord

FORGET = "forget"
"""Kind of the runs of `rfm forget`, and the name of their entry in the column `rules`."""


class ForgetEntry(Struct, frozen=True, omit_defaults=True):
    """What one `rfm forget` did, as its record has it.

    Attributes:
        salt: Key of the hashes, drawn at random once for a destination.
        hashes: The customers.
        current, history, dates: Rows removed from the current result and from the history, and the number of
            the history's as-of dates.
        is_undone: Whether the customers are no longer left out; nothing was removed.
        checksums: New checksums of the results that lost rows, by run id.
    """

    salt: str
    hashes: tuple[str, ...]
    current: int = 0
    history: int = 0
    dates: int = 0
    is_undone: bool = False
    checksums: Mapping[str, Checksum] = field(default_factory=dict)


class Forgotten(Struct, frozen=True):
    """The customers that runs leave out.

    Attributes:
        salt: Key of the hashes; empty if no customer was ever forgotten.
        hashes: SHA-256 of the salt followed by a customer's id, in hexadecimal digits, for each customer.
    """

    salt: str = ""
    hashes: tuple[str, ...] = ()

    def hash_of(self, customer_id: str) -> str:
        """Return the hash of a customer's id."""
        return hashlib.sha256(f"{self.salt}{customer_id}".encode()).hexdigest()


def forget_entry(record: RunRecord) -> ForgetEntry | None:
    """Return what a run of `rfm forget` did; None for the record of any other run."""
    entry = record.rules.get(FORGET) if record.kind == FORGET else None
    return msgspec.convert(entry, ForgetEntry) if entry else None


def forget_rules(entry: ForgetEntry) -> dict[str, object]:
    """Return the entry as the `rules` of a record."""
    return {FORGET: to_plain(entry)}


def forgotten_customers(records: Iterable[RunRecord]) -> Forgotten:
    """Return the customers that runs leave out, given all records, oldest first."""
    salt, hashes = "", dict[str, None]()
    for entry in filter(None, map(forget_entry, records)):
        salt = entry.salt
        for customer in entry.hashes:
            if entry.is_undone:
                hashes.pop(customer, None)
            else:
                hashes[customer] = None
    return Forgotten(salt, tuple(hashes))


def renew_checksums(records: Iterable[RunRecord]) -> tuple[RunRecord, ...]:
    """Return the records, each with the checksum that its rows have since customers were forgotten."""
    renewed = {record.run_id: record for record in records}
    for entry in filter(None, map(forget_entry, tuple(renewed.values()))):
        for run_id, checksum in entry.checksums.items():
            if run_id in renewed:
                renewed[run_id] = renewed[run_id].with_checksum(checksum)
    return tuple(renewed.values())
