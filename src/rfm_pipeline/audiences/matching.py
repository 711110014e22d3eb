"""SQL that matches customers with their contacts and selects the members of an audience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rfm_pipeline.audiences import normalization
from rfm_pipeline.audiences.contacts import Contacts
from rfm_pipeline.audiences.networks import TAGS_HEADING, UploadFormat
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.dialects.registry import dialect_of

LEFT_OUT_REASONS = ("no_contact", "no_email", "invalid_phone", "invalid_email", "same_contact")
"""Reasons why a customer of the segments is not exported, in order of precedence."""


def customers_sql(
    relation: str, columns: Sequence[str], segments: Sequence[str], ids: str, engine: str
) -> str:
    """Return a SELECT of columns of the customers of some segments.

    Args:
        relation: SQL of the current result.
        columns: Columns of the SELECT.
        segments: Names of the segments.
        ids: SELECT of the ids of the customers; empty for all of these segments.
        engine: Name of the engine.
    """
    names = ", ".join(dialect_of(engine).literal(name) for name in segments)
    among = f"\n  AND customer_id IN (\n{ids}\n)" if ids else ""
    return f"SELECT {', '.join(columns)}\nFROM {relation}\nWHERE segment IN ({names}){among}"


def contact_rows_sql(contacts: Contacts, upload: UploadFormat) -> str:
    """Return a SELECT with one row per distinct row of the contacts, and `times`, the number of its rows.

    Each role has its text; postcodes are restored. The column `country_code` has the contact's country, or is
    empty if the country is unknown.
    """
    roles = {*written_roles(contacts, upload), "country"}
    raw = ", ".join(f"{contacts.text(role)} AS {role}" for role in sorted(roles))
    restored = f"* REPLACE ({normalization.postcode('zip')} AS zip)" if "zip" in roles else "*"
    return f"""\
WITH raw AS (
  SELECT {contacts.customer_key} AS customer_id, {raw} FROM {contacts.relation}
), located AS (
  SELECT *, COALESCE({normalization.country("country")}, '') AS {normalization.COUNTRY_CODE}
  FROM raw
  WHERE customer_id IS NOT NULL
), restored AS (
  SELECT {restored} FROM located
)
SELECT *, COUNT(*) AS times FROM restored GROUP BY ALL"""


def contacts_sql(contacts: Contacts, upload: UploadFormat) -> str:
    """Return a SELECT with one row per customer in `contact_rows`; phones are looked up in `phone_numbers`.

    Each role has a column with the normalized value and a boolean `<role>_given`. Of several addresses of a
    customer, the most frequent valid one is chosen; ties are resolved by value, independent of the order of
    the rows.
    """
    roles = written_roles(contacts, upload)
    written = ", ".join(
        f"{upload.fields[role].rule('number' if role == 'phone' else role)} AS {role},"
        f" {normalization.text(role)} IS NOT NULL AS {role}_given"
        for role in roles
    )
    phones = (
        f"LEFT JOIN phone_numbers ON written_phone = phone AND phone_country = {normalization.COUNTRY_CODE}"
        if "phone" in roles
        else ""
    )
    missing = ", ".join(f"{role} IS NULL" for role in upload.match_roles if role in roles)
    return f"""\
WITH written AS (
  SELECT customer_id, times, {written} FROM contact_rows {phones}
), counted AS (
  SELECT * EXCLUDE (times), SUM(times) AS times FROM written GROUP BY ALL
), placed AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY {missing}, times DESC, {", ".join(roles)}) AS place,
    MIN(email) OVER (PARTITION BY customer_id) < MAX(email) OVER (PARTITION BY customer_id) AS has_several
  FROM counted
)
SELECT * EXCLUDE (times, place) FROM placed WHERE place = 1"""


def audience_sql(contacts: Contacts, upload: UploadFormat) -> str:
    """Return a SELECT with one row per customer of the segments: contact, and `left_out`, NULL for members.

    Customers with the same address (or, without an address, the same phone number) are one person: of them,
    the customer with the highest monetary value is exported. Where the network takes a phone number once, the
    customer with the highest monetary value keeps it; `phone_repeated` marks members who lose it.
    """
    roles = written_roles(contacts, upload)
    person = f"COALESCE({', '.join(role for role in upload.match_roles if role in roles)})"
    has_phone = "phone_given" if "phone" in roles and "phone" in upload.match_roles else "FALSE"
    is_unique = "phone" in roles and upload.unique_phone
    repeats = "phone IS NOT NULL AND NOT is_repeated AND phone_place > 1" if is_unique else "FALSE"
    phone_place = (
        "ROW_NUMBER() OVER (PARTITION BY phone, is_repeated ORDER BY monetary DESC, customer_id)"
        if is_unique
        else "1"
    )
    no_contact, no_email, invalid_phone, invalid_email, same_contact = LEFT_OUT_REASONS
    return f"""\
WITH joined AS (
  SELECT customers.*, contacts.* EXCLUDE (customer_id), contacts.customer_id IS NOT NULL AS has_contact
  FROM customers LEFT JOIN contacts ON contacts.customer_id = customers.customer_id
), ranked AS (
  SELECT
    *,
    {person} AS person,
    ROW_NUMBER() OVER (PARTITION BY person ORDER BY monetary DESC, customer_id) > 1 AS is_repeated
  FROM joined
), numbered AS (
  SELECT *, {phone_place} AS phone_place FROM ranked
), marked AS (
  SELECT *, {repeats} AS phone_repeated FROM numbered
)
SELECT
  * EXCLUDE (has_contact, person, is_repeated, phone_place)
  {"REPLACE (CASE WHEN NOT phone_repeated THEN phone END AS phone)" if is_unique else ""},
  CASE
    WHEN NOT has_contact THEN '{no_contact}'
    WHEN person IS NULL AND NOT email_given AND {has_phone} THEN '{invalid_phone}'
    WHEN person IS NULL AND NOT email_given THEN '{no_email}'
    WHEN person IS NULL THEN '{invalid_email}'
    WHEN is_repeated OR (phone_repeated AND email IS NULL) THEN '{same_contact}'
  END AS left_out
FROM marked"""


def upload_sql(contacts: Contacts, upload: UploadFormat, columns: Sequence[str], *, raw: bool) -> str:
    """Return a SELECT with one row per member: the columns of the file under the network's headings."""
    selected = []
    for role in written_roles(contacts, upload):
        field = upload.fields[role]
        value = normalization.sha256(role) if field.is_hashed else _cell(role, raw=raw)
        selected.append(f'{value} AS "{field.heading}"')
    for name in columns:
        value = name if RESULT_COLUMNS[name].holds != "money" else f"CAST({name} AS DECIMAL(38, 2))"
        if RESULT_COLUMNS[name].holds == "text":
            value = _cell(name, raw=raw)
        if heading(upload, name) == TAGS_HEADING:
            # Mailchimp splits unquoted tags at commas.
            value = f"CASE WHEN CONTAINS({name}, ',') THEN '\"' || {name} || '\"' ELSE {value} END"
        selected.append(f'{value} AS "{heading(upload, name)}"')
    return f"SELECT {', '.join(selected)} FROM audience WHERE left_out IS NULL ORDER BY customer_id"


def plain_sql(columns: Sequence[str], decimals: Mapping[str, int], *, is_text: bool, raw: bool) -> str:
    """Return a SELECT with one row per customer: columns of the result under their own names.

    Args:
        columns: The columns, in order.
        decimals: Number of decimals of each money column. Used if `is_text`.
        is_text: Whether the values are written as text, in which a spreadsheet may detect formulas.
        raw: Whether text that a spreadsheet reads as a formula stays unchanged.
    """
    selected = []
    for name in columns:
        holds = RESULT_COLUMNS[name].holds
        if is_text and holds == "text":
            selected.append(f"{_cell(name, raw=raw)} AS {name}")
        elif is_text and holds == "money":
            selected.append(f"CAST({name} AS DECIMAL(38, {decimals[name]})) AS {name}")
        else:
            selected.append(name)
    return f"SELECT {', '.join(selected)} FROM customers ORDER BY ALL"


def heading(upload: UploadFormat, column: str) -> str:
    """Return the heading of a column of the result in an upload, such as `RFM Segment`."""
    if column == "segment" and upload.tags_segments:
        return TAGS_HEADING
    return f"RFM {column.removeprefix('rfm_').replace('_', ' ').title()}"


def written_roles(contacts: Contacts, upload: UploadFormat) -> list[str]:
    """Return the roles that are columns of the file, in the network's order."""
    return upload.written_roles(contacts.roles)


def _cell(expression: str, *, raw: bool) -> str:
    return expression if raw else normalization.escape_formula(expression)
