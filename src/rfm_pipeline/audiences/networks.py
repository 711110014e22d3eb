"""The formats of an export, as data: what each network calls a column, what it puts there, what is hashed."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rfm_pipeline.audiences import normalization as normalise
from rfm_pipeline.audiences.normalization import Rule

PLAIN = ("csv", "parquet", "xlsx")
"""Formats that hold columns of the result; each is also the suffix of its file."""


class Field(Struct, frozen=True):
    """A column of an upload that comes from the contacts.

    Attributes:
        heading: What the network calls it.
        rule: How the network wants it written.
        is_hashed: Whether its SHA-256 is written in its place.
    """

    heading: str
    rule: Rule
    is_hashed: bool = False


class UploadFormat(Struct, frozen=True):
    """What a network takes.

    Attributes:
        label: What a person calls it.
        fields: By role, its columns from the contacts; the first is the e-mail address.
        columns: Columns of the result that are written unless others are chosen; None where it takes none.
        known_by: Roles by any of which it knows a person.
        tags_segments: Whether it takes the segment as a tag.
        together: Roles of which a network can use all, or none.
        most_bytes: The largest file that it takes; None where it sets no limit.
    """

    label: str
    fields: Mapping[str, Field]
    columns: tuple[str, ...] | None = None
    known_by: tuple[str, ...] = ("email", "phone")
    tags_segments: bool = False
    together: tuple[str, ...] = ()
    most_bytes: int | None = None

    @property
    def is_hashed(self) -> bool:
        """Whether nobody's address can be read in it."""
        return self.fields["email"].is_hashed


UPLOADS: Mapping[str, UploadFormat] = {
    # Country and Zip are not hashed, by Google's own rule.
    "google": UploadFormat(
        "Google Ads Customer Match",
        {
            "email": Field("Email", normalise.google_email, is_hashed=True),
            "phone": Field("Phone", normalise.phone, is_hashed=True),
            "first_name": Field("First Name", normalise.google_first_name, is_hashed=True),
            "last_name": Field("Last Name", normalise.google_last_name, is_hashed=True),
            "country": Field("Country", normalise.country),
            "zip": Field("Zip", normalise.text),
        },
        together=("first_name", "last_name", "country", "zip"),
    ),
    "meta": UploadFormat(
        "Meta Custom Audiences",
        {
            "email": Field("email", normalise.email, is_hashed=True),
            "phone": Field("phone", normalise.meta_phone, is_hashed=True),
            "first_name": Field("fn", normalise.meta_name, is_hashed=True),
            "last_name": Field("ln", normalise.meta_name, is_hashed=True),
            "country": Field("country", normalise.meta_country, is_hashed=True),
            "zip": Field("zip", normalise.meta_zip, is_hashed=True),
        },
    ),
    # The address comes first: Klaviyo reads the first column as what identifies a profile.
    "klaviyo": UploadFormat(
        "a Klaviyo list",
        {
            "email": Field("Email", normalise.email),
            "phone": Field("Phone Number", normalise.phone),
            "first_name": Field("First Name", normalise.text),
            "last_name": Field("Last Name", normalise.text),
            "country": Field("Country", normalise.country),
            "zip": Field("Zip Code", normalise.text),
        },
        columns=("segment", "rfm_score", "recency_days", "frequency", "monetary", "last_order_date"),
        most_bytes=50_000_000,
    ),
    "mailchimp": UploadFormat(
        "a Mailchimp audience",
        {
            "email": Field("Email Address", normalise.mailchimp_email),
            "phone": Field("Phone Number", normalise.phone),
            "first_name": Field("First Name", normalise.text),
            "last_name": Field("Last Name", normalise.text),
            "country": Field("Country", normalise.country),
            "zip": Field("Zip Code", normalise.text),
        },
        columns=("segment",),
        known_by=("email",),
        tags_segments=True,
    ),
}
"""The formats of networks, by what `--format` calls them."""

TAGS = "Tags"
"""The heading under which Mailchimp takes tags, of which the segment is one."""

FORMATS = (*PLAIN, *UPLOADS)
