r"""How a value is written before it is hashed or uploaded: each network's rules, as expressions of DuckDB.

Each function takes an expression of text, and gives one that is NULL where the value is of no use there. What
is written so already stays as it is. The sources, as they were read in 2026:

- Google: "Format user data", developers.google.com/data-manager/api/devguides/concepts/formatting; for the
  file, "Format your customer data file", support.google.com/google-ads/answer/7659867.
- Meta: "Customer Information Parameters", whose rules of hashing all of its uploads share,
  developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/customer-information-parameters;
  for the file, "How to format a customer list", facebook.com/business/help/2082575038703844.
- Klaviyo: "How to create and add subscribers to a new list", help.klaviyo.com/hc/en-us/articles/115005078967.
- Mailchimp: "Format guidelines for your import file",
  mailchimp.com/help/format-guidelines-for-your-import-file.
"""

from __future__ import annotations

from collections.abc import Callable

Rule = Callable[[str], str]
"""From an expression of text to the expression of what is uploaded."""

_BLANK = r"\s\p{Z}\p{Cc}\p{Cf}"
# Quotes, brackets and separators are in addresses only in forms that nobody is known to use; none begins with
# what a spreadsheet would take for a formula.
_NOT_IN_ADDRESS = r"""@\s\p{Z}\p{C}"(),:;<>\[\]\\"""
_LABEL = f"[^{_NOT_IN_ADDRESS}.]+"
_ADDRESS = f"[^{_NOT_IN_ADDRESS}=+-][^{_NOT_IN_ADDRESS}]*@{_LABEL}([.]{_LABEL})+"
_LONGEST_ADDRESS = 254
_ASCII_BEFORE_AT = r"[\x21-\x7e]+@.+"
_TITLES = rf"^((mr|mrs|ms|miss|dr)[.]?([{_BLANK},]+|$))+|([{_BLANK},]+dr[.]?)+$"
_SUFFIXES = rf"((^|[{_BLANK},]+)(jr|sr|ii|iii|iv|esq|md|phd|dds|cpa)[.]?)+,*$"
# A number as people write it, with brackets, dots, slashes and any dash.
_PHONE = r"[+]?[0-9 ()./\x{A0}\p{Pd}]+"
# The last three are the same signs in the width of Chinese letters.
_FORMULA = r"^[\s\p{Cc}]*[=+@\x{FF1D}\x{FF0B}\x{FF20}-]|^[\t\r\n]"
_NUMBER = r"[+-]?[0-9]+([.,][0-9]+)*"


def sha256(expression: str) -> str:
    """The SHA-256 of a text's UTF-8, in lower-case hexadecimal digits: what Google and Meta take."""
    return f"SHA256({expression})"


def email(raw: str) -> str:
    """An address without the blanks around it, in lower case: Meta's rule, and enough for Klaviyo.

    Dots, and what follows a plus, stay.
    """
    return _checked_address(f"LOWER({_trimmed(raw)})")


def mailchimp_email(raw: str) -> str:
    """The same; Mailchimp takes no letters beyond ASCII before the @."""
    return _matching(_ASCII_BEFORE_AT, email(raw))


def google_email(raw: str) -> str:
    """Google: lower case, no blanks anywhere; at gmail.com and googlemail.com no dots and no plus suffix."""
    compact = _without(f"[{_BLANK}]", f"LOWER({raw})")
    local, domain = f"SPLIT_PART({compact}, '@', 1)", f"SPLIT_PART({compact}, '@', 2)"
    short = f"REPLACE(SPLIT_PART({local}, '+', 1), '.', '') || '@' || {domain}"
    is_gmail = f"REGEXP_FULL_MATCH({compact}, '[^@]*@(gmail|googlemail)[.]com')"
    return _checked_address(f"CASE WHEN {is_gmail} THEN {short} ELSE {compact} END")


def phone(raw: str) -> str:
    """A number in E.164, as Google, Klaviyo and Mailchimp ask: a plus, the country's code, digits only.

    None of them can use a number without the country's code, and none is guessed: it begins with + or 00, or
    has at least 11 digits of which the first is not 0. A letter, as in an extension, spoils it.
    """
    written = _trimmed(raw)
    digits = _without("^00", _without("[^0-9]", f"REPLACE({written}, '(0)', '')"))
    is_long = f"REGEXP_FULL_MATCH({digits}, '[1-9][0-9]{{10,14}}')"
    has_code = f"REGEXP_MATCHES({written}, '^([+]|00)') AND REGEXP_FULL_MATCH({digits}, '[1-9][0-9]{{7,14}}')"
    fits = f"REGEXP_FULL_MATCH({written}, '{_PHONE}') AND ({is_long} OR {has_code})"
    return f"CASE WHEN {fits} THEN '+' || {digits} END"


def meta_phone(raw: str) -> str:
    """Meta: the country's code and the number, digits only, without symbols and leading zeros."""
    return f"LTRIM({phone(raw)}, '+')"


def google_first_name(raw: str) -> str:
    """Google: lower case, no blanks around it, no title such as Mrs."""
    return _filled(_trimmed(_without(_TITLES, f"LOWER({_trimmed(raw)})")))


def google_last_name(raw: str) -> str:
    """Google: lower case, no blanks around it, no suffix such as Jr."""
    return _filled(_trimmed(_without(_SUFFIXES, f"LOWER({_trimmed(raw)})")))


def meta_name(raw: str) -> str:
    """Meta: lower case without punctuation; letters of other alphabets stay, in UTF-8."""
    return _filled(_trimmed(_without(r"[\p{P}\p{S}]", f"LOWER({raw})")))


def text(raw: str) -> str:
    """A text as it is, without the blanks around it."""
    return _filled(_trimmed(raw))


def country(raw: str) -> str:
    """A country's two letters of ISO 3166-1, in upper case. UK is GB there, on which Mailchimp insists."""
    code = _matching("[A-Z]{2}", f"UPPER({_trimmed(raw)})")
    return f"CASE {code} WHEN 'UK' THEN 'GB' ELSE {code} END"


def meta_country(raw: str) -> str:
    """Meta: the same two letters in lower case."""
    return f"LOWER({country(raw)})"


def meta_zip(raw: str) -> str:
    """Meta: lower case without blanks and dashes, of a US code only the first five digits."""
    compact = _without(f"[{_BLANK}]", f"LOWER({raw})")
    # Five digits, a dash and four are a code of the US and of nowhere else.
    short, joined = _without("-[0-9]{4}$", compact), _without(r"\p{Pd}", compact)
    is_long = f"REGEXP_FULL_MATCH({compact}, '[0-9]{{5}}-[0-9]{{4}}')"
    return _filled(f"CASE WHEN {is_long} THEN {short} ELSE {joined} END")


def harmless(expression: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe stands before =, +, -, @ and the like.

    A number stays as it is, with its sign: -12.50, +442079460018. The rule is OWASP's, "CSV Injection".
    """
    is_formula = f"REGEXP_MATCHES({expression}, '{_FORMULA}')"
    is_number = f"REGEXP_FULL_MATCH({expression}, '{_NUMBER}')"
    return f"CASE WHEN {is_formula} AND NOT {is_number} THEN '''' || {expression} ELSE {expression} END"


def _checked_address(address: str) -> str:
    """An address that has the form of one, and a length that mail allows."""
    return f"CASE WHEN LENGTH({address}) <= {_LONGEST_ADDRESS} THEN {_matching(_ADDRESS, address)} END"


def _matching(pattern: str, expression: str) -> str:
    return _filled(f"REGEXP_EXTRACT({expression}, '^(?:{pattern})$')")


def _trimmed(expression: str) -> str:
    return _without(f"^[{_BLANK}]+|[{_BLANK}]+$", expression)


def _without(pattern: str, expression: str) -> str:
    return f"REGEXP_REPLACE({expression}, '{pattern}', '', 'g')"


def _filled(expression: str) -> str:
    return f"NULLIF({expression}, '')"
