"""From customers and their contacts to the members of an audience: the queries, each a table on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rfm_pipeline.audiences import normalization as normalise
from rfm_pipeline.audiences.contacts import Contacts
from rfm_pipeline.audiences.networks import TAGS, UploadFormat
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.dialects.registry import dialect_of

REASONS = ("no_contact", "no_email", "invalid_email", "same_contact")
"""Why a customer of the segments is no member, in the order in which it is looked at."""


def customers_sql(relation: str, columns: Sequence[str], segments: Sequence[str], engine: str) -> str:
    """Columns of the customers of some segments, as the engine of the result says it."""
    names = ", ".join(dialect_of(engine).literal(name) for name in segments)
    return f"SELECT {', '.join(columns)} FROM {relation} WHERE segment IN ({names})"


def contacts_sql(contacts: Contacts, upload: UploadFormat) -> str:
    """One row per customer with contacts: each value as the network wants it, and whether one was given.

    Of several addresses of a customer, the valid one that comes most often is taken; which of equals does not
    depend on the order of the rows.
    """
    roles = roles_of(contacts, upload)
    raw = ", ".join(f"{contacts.text(role)} AS {role}" for role in roles)
    written = ", ".join(
        f"{upload.fields[role].rule(role)} AS {role}, {normalise.text(role)} IS NOT NULL AS {role}_given"
        for role in roles
    )
    missing = ", ".join(f"{role} IS NULL" for role in upload.known_by if role in roles)
    return f"""\
WITH raw AS (
  SELECT {contacts.customer_key} AS customer_id, {raw} FROM {contacts.relation}
), written AS (
  SELECT customer_id, {written} FROM raw WHERE customer_id IS NOT NULL
), counted AS (
  SELECT *, COUNT(*) AS times FROM written GROUP BY ALL
), placed AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY {missing}, times DESC, {", ".join(roles)}) AS place,
    MIN(email) OVER (PARTITION BY customer_id) < MAX(email) OVER (PARTITION BY customer_id) AS has_several
  FROM counted
)
SELECT * EXCLUDE (times, place) FROM placed WHERE place = 1"""


def audience_sql(contacts: Contacts, upload: UploadFormat) -> str:
    """One row per customer of the segments: contact, and why it is left out; NULL makes it a member.

    Who shares an address (or, without one, a number) is one person: the customer who spent the most stands
    for all of them.
    """
    key = f"COALESCE({', '.join(role for role in upload.known_by if role in contacts.columns)})"
    no_contact, no_email, invalid_email, same_contact = REASONS
    return f"""\
SELECT
  customers.*,
  contacts.* EXCLUDE (customer_id),
  CASE
    WHEN contacts.customer_id IS NULL THEN '{no_contact}'
    WHEN {key} IS NULL AND NOT email_given THEN '{no_email}'
    WHEN {key} IS NULL THEN '{invalid_email}'
    WHEN ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY monetary DESC, customers.customer_id) > 1
      THEN '{same_contact}'
  END AS left_out
FROM customers LEFT JOIN contacts ON contacts.customer_id = customers.customer_id"""


def upload_sql(contacts: Contacts, upload: UploadFormat, columns: Sequence[str], *, raw: bool) -> str:
    """One row per member: the columns of the file, under the network's headings."""
    selected = []
    for role in roles_of(contacts, upload):
        field = upload.fields[role]
        value = normalise.sha256(role) if field.is_hashed else _cell(role, raw=raw)
        selected.append(f'{value} AS "{field.heading}"')
    for name in columns:
        value = name if RESULT_COLUMNS[name].holds != "money" else f"CAST({name} AS DECIMAL(38, 2))"
        if RESULT_COLUMNS[name].holds == "text":
            value = _cell(name, raw=raw)
        if heading(upload, name) == TAGS:
            # A comma would make two tags of one.
            value = f"CASE WHEN CONTAINS({name}, ',') THEN '\"' || {name} || '\"' ELSE {value} END"
        selected.append(f'{value} AS "{heading(upload, name)}"')
    return f"SELECT {', '.join(selected)} FROM audience WHERE left_out IS NULL ORDER BY customer_id"


def plain_sql(columns: Sequence[str], places: Mapping[str, int], *, is_text: bool, raw: bool) -> str:
    """One row per customer: columns of the result under their own names.

    Args:
        columns: Which, in their order.
        places: How many decimals the money of each has.
        is_text: Whether they are written as text, in which a spreadsheet could see a formula.
        raw: Whether a spreadsheet may see one.
    """
    selected = []
    for name in columns:
        holds = RESULT_COLUMNS[name].holds
        if is_text and holds == "text":
            selected.append(f"{_cell(name, raw=raw)} AS {name}")
        elif is_text and holds == "money":
            selected.append(f"CAST({name} AS DECIMAL(38, {places[name]})) AS {name}")
        else:
            selected.append(name)
    return f"SELECT {', '.join(selected)} FROM customers ORDER BY ALL"


def heading(upload: UploadFormat, column: str) -> str:
    """What a column of the result is called in an upload: `RFM Segment`; tags have their own name."""
    if column == "segment" and upload.tags_segments:
        return TAGS
    return f"RFM {column.removeprefix('rfm_').replace('_', ' ').title()}"


def roles_of(contacts: Contacts, upload: UploadFormat) -> list[str]:
    """The roles that have a column, in the network's order."""
    return [role for role in upload.fields if role in contacts.columns]


def _cell(expression: str, *, raw: bool) -> str:
    return expression if raw else normalise.harmless(expression)
