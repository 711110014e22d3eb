"""Phone numbers in E.164, parsed by the library `phonenumbers`, a port of Google's libphonenumber.

No SQL rule replaces it: whether 13800138000 is a mobile in China or a number in North America depends on the
plan of each country. The library takes 80 µs a number on one core.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

    from rfm_pipeline.common.duckdb_engine import duckdb

_PAGE_SIZE = 10_000
_DIGITS_AS_A_FLOAT = re.compile(r"\s*([+]?\d{5,})[.]0\s*", re.ASCII)
_LETTER_BEHIND_A_DIGIT = re.compile(r"\d.*[^\W\d_]", re.DOTALL)


def check_phone_support(default_country: str | None) -> None:
    """Check that phone numbers can be parsed.

    Args:
        default_country: Code of the country of numbers without one; None if there is no such country.

    Raises:
        UsageError: If the library is not installed.
        ConfigurationError: If the country has no phone numbers.
    """
    try:
        import phonenumbers
    except ImportError:
        raise UsageError(
            "Exporting phone numbers needs the audiences extra.", extra_hint("audiences")
        ) from None
    if default_country is not None and default_country not in phonenumbers.SUPPORTED_REGIONS:
        raise ConfigurationError(
            f"No country has the code '{default_country}', which is the default country.",
            "give a two-letter code of ISO 3166, such as --default-country DE.",
        )


def to_e164(text: str, country: str) -> str | None:
    """Return a phone number as plus, country code and digits; None if it is not a valid number.

    A number without a country code is taken as a number of the country, and must be in one of its ranges; one
    with its country code must have a length that the country uses. A number with an extension is not
    valid, since it belongs to a switchboard and not to a person. Nor is one with letters behind a digit,
    which the library takes for digits of their keys, or leaves out: `1.65055512E+10` has lost its digits.

    Args:
        text: The number in any notation.
        country: Two-letter code in upper case; empty if unknown.

    >>> to_e164("0171 1234567", "DE"), to_e164("0171 1234567", ""), to_e164("0044 20 7946 0018", "US")
    ('+491711234567', None, '+442079460018')
    """
    if _LETTER_BEHIND_A_DIGIT.search(text):
        return None
    if is_float := _DIGITS_AS_A_FLOAT.fullmatch(text):
        # A column of numbers in which values are missing, as pandas and spreadsheets write it.
        text = is_float[1]
    number = _parse(text, country)
    bare = text.strip().lstrip("' (")
    if number is None and bare.startswith("00"):
        # The prefix 00 of most countries, in a country that dials another one.
        number = _parse(f"+{bare[2:]}", country)
    return number


def _parse(text: str, country: str) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        return None
    is_whole = text.lstrip("' (").startswith("+") and (
        phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    )
    # With its country code, a number of the right length is certain; the library's ranges may be out of date.
    if number.extension or not (is_whole or phonenumbers.is_valid_number(number)):
        return None
    if not is_whole and _has_its_country_code(text, number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _has_its_country_code(text: str, number: PhoneNumber) -> bool:
    """Return whether a number that was read as one of its country is valid with its own country code too.

    In Germany 4915123457950 can be a mobile without its plus, +49 1512 3457950, or a number in the town of
    the area code 491 without its zero.
    """
    import phonenumbers

    digits = phonenumbers.normalize_digits_only(text)
    if digits != phonenumbers.national_significant_number(number):
        return False
    if not digits.startswith(str(number.country_code)):
        return False
    return phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))


def stage_phone_numbers(connection: duckdb.DuckDBPyConnection, scratch: Path) -> None:
    """Create the table `phone_numbers` with the phones of `contact_rows` of customers in `customers`.

    Its columns are `written_phone` and `phone_country`, unique together, and `number`, in E.164 or NULL.

    Args:
        connection: DuckDB connection with both tables.
        scratch: Folder for a temporary file with all rows.

    Raises:
        OSError: If the temporary file can't be written.
        duckdb.Error: If the table can't be created.
    """
    from rfm_pipeline.common.duckdb_engine import execute_interruptibly
    from rfm_pipeline.warehouse.duckdb.load import create_table_from_pages

    phones = connection.cursor()
    execute_interruptibly(
        phones,
        "SELECT DISTINCT phone, country_code FROM contact_rows SEMI JOIN customers USING (customer_id)"
        " WHERE phone IS NOT NULL",
    )
    types = dict.fromkeys(("written_phone", "phone_country", "number"), "VARCHAR")
    create_table_from_pages(connection, "phone_numbers", tuple(types), _pages(phones), scratch, types=types)


def _pages(phones: duckdb.DuckDBPyConnection) -> Iterator[list[dict[str, str | None]]]:
    while rows := phones.fetchmany(_PAGE_SIZE):
        raise_if_cancelled()
        yield [
            {"written_phone": written, "phone_country": country, "number": to_e164(written, country)}
            for written, country in rows
        ]
