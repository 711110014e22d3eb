"""Phone numbers: the networks' published examples, and the example numbers of every country."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat

from rfm_pipeline.audiences.phone_numbers import to_e164


@pytest.mark.parametrize(
    ("raw", "country", "written"),
    [
        # Google's and Meta's examples; see test_normalization.py.
        ("1 800 555 0100", "US", "+18005550100"),
        ("18005550100", "US", "+18005550100"),
        ("+1 800-555-0100", "", "+18005550100"),
        ("441134960987", "GB", "+441134960987"),
        ("+44-113-496-0987", "", "+441134960987"),
        (" +A BCD EFG ", "US", None),
        ("1 (650)555-1212", "US", "+16505551212"),
        # The same digits, by country.
        ("13800138000", "CN", "+8613800138000"),
        ("11987654321", "BR", "+5511987654321"),
        ("89161234567", "RU", "+79161234567"),
        ("15112345678", "DE", "+4915112345678"),
        ("+1 (650) 555\N{EN DASH}1212", "DE", "+16505551212"),
        ("0044 (0)20 7946 0018", "", "+442079460018"),
        ("'0044 20 7946 0018", "US", "+442079460018"),
        ("+39 06 698 1234", "", "+39066981234"),
        # What spreadsheets and pandas make of a number: its digits are all there, or are lost.
        ("16505551212.0", "US", "+16505551212"),
        ("1711234567.0", "DE", "+491711234567"),
        ("1.65055512E+10", "US", None),
        ("650 555 12 ab", "US", None),
        ("Mobil: 0171 1234567", "DE", "+491711234567"),
        # A mobile without its plus, or a number in Leer without its zero.
        ("4915123457950", "DE", None),
        ("04915 123457950", "DE", "+494915123457950"),
        ("468177060", "SE", None),
        # A switchboard, and what is no number.
        ("+1 650 555 1212 ext. 5", "US", None),
        ("+1234", "", None),
        ("+1234567890123456", "", None),
        ("555-1212", "US", None),
        ("", "US", None),
        ("030 123 456", "ZZ", None),
    ],
)
def test_a_number_is_that_of_its_country(raw: str, country: str, written: str | None) -> None:
    assert to_e164(raw, country) == written


@pytest.mark.parametrize(
    "raw",
    [
        "13800138000",  # a Chinese mobile; +1 380 013 8000 would be in North America
        "11987654321",
        "89161234567",
        "15112345678",
        "441134960987",
        "18005550100",
        "(650)555-1212",
        "020 7946 0018",
    ],
)
def test_no_country_is_guessed(raw: str) -> None:
    assert to_e164(raw, "") is None


def test_every_notation_of_each_countrys_number_is_read() -> None:
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number(country)
        assert number is not None
        expected = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        assert to_e164(phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL), "") == expected
        assert to_e164(f"00{expected[1:]}", "") == expected
        assert to_e164(national, country) == expected
        assert to_e164(national, "") is None
        assert to_e164(expected, "") == expected
