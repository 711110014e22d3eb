"""Export formats as data: each network's headings, normalization rules and hashed columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from rfm_pipeline.audiences import normalization
from rfm_pipeline.audiences.normalization import Rule

PLAIN_FORMATS = ("csv", "parquet", "xlsx")
"""Formats with columns of the result; each name is also the file suffix."""


class NetworkField(Struct, frozen=True):
    """A column of an upload with values of the contacts.

    Attributes:
        heading: The network's heading.
        rule: The network's normalization rule. A phone number is in E.164 before, and a postcode is restored.
        is_hashed: Whether the SHA-256 of the normalized value is written.
    """

    heading: str
    rule: Rule
    is_hashed: bool = False


class UploadFormat(Struct, frozen=True):
    """Upload format of a network.

    Attributes:
        label: Name for messages.
        fields: Columns with values of the contacts, by role; the first is the e-mail address.
        columns: Default columns of the result; None if the network accepts none.
        match_roles: Roles that identify a person; one of them is enough.
        tags_segments: Whether the segment is uploaded as a tag.
        all_or_none: Roles that the network can use only together.
        unique_phone: Whether the network rejects a file in which a phone number occurs twice.
        max_bytes: Largest accepted file in bytes; None without a limit.
    """

    label: str
    fields: Mapping[str, NetworkField]
    columns: tuple[str, ...] | None = None
    match_roles: tuple[str, ...] = ("email", "phone")
    tags_segments: bool = False
    all_or_none: tuple[str, ...] = ()
    unique_phone: bool = False
    max_bytes: int | None = None

    @property
    def is_hashed(self) -> bool:
        """Whether e-mail addresses are hashed."""
        return self.fields["email"].is_hashed

    def written_roles(self, given: Collection[str]) -> list[str]:
        """Return the roles that are columns of the file, in order.

        A country that is given for phone numbers only is left out where the network takes it only as a part
        of a postal address.

        Args:
            given: Roles for which the contacts have values.
        """
        needs = [role for role in self.all_or_none if role != "country"]
        is_partial = bool(needs) and not set(needs) & set(given)
        return [role for role in self.fields if role in given and not (role == "country" and is_partial)]


UPLOAD_FORMATS: Mapping[str, UploadFormat] = {
    # Google requires Country and Zip unhashed.
    "google": UploadFormat(
        "Google Ads Customer Match",
        {
            "email": NetworkField("Email", normalization.google_email, is_hashed=True),
            "phone": NetworkField("Phone", normalization.phone, is_hashed=True),
            "first_name": NetworkField("First Name", normalization.google_first_name, is_hashed=True),
            "last_name": NetworkField("Last Name", normalization.google_last_name, is_hashed=True),
            "country": NetworkField("Country", normalization.country),
            "zip": NetworkField("Zip", normalization.text),
        },
        all_or_none=("first_name", "last_name", "country", "zip"),
    ),
    "meta": UploadFormat(
        "Meta Custom Audiences",
        {
            "email": NetworkField("email", normalization.email, is_hashed=True),
            "phone": NetworkField("phone", normalization.meta_phone, is_hashed=True),
            "first_name": NetworkField("fn", normalization.meta_name, is_hashed=True),
            "last_name": NetworkField("ln", normalization.meta_name, is_hashed=True),
            "country": NetworkField("country", normalization.meta_country, is_hashed=True),
            "zip": NetworkField("zip", normalization.meta_zip, is_hashed=True),
        },
    ),
    # Klaviyo identifies profiles by the first column. "Troubleshooting list imports" in its help center
    # (article 115005078807) requires that no address and no phone number occurs twice.
    "klaviyo": UploadFormat(
        "a Klaviyo list",
        {
            "email": NetworkField("Email Address", normalization.email),
            "phone": NetworkField("Phone Number", normalization.phone),
            "first_name": NetworkField("First Name", normalization.text),
            "last_name": NetworkField("Last Name", normalization.text),
            "country": NetworkField("Country", normalization.country),
            "zip": NetworkField("Zip Code", normalization.text),
        },
        columns=("segment", "rfm_score", "recency_days", "frequency", "monetary", "last_order_date"),
        unique_phone=True,
        max_bytes=50_000_000,
    ),
    "mailchimp": UploadFormat(
        "a Mailchimp audience",
        {
            "email": NetworkField("Email Address", normalization.mailchimp_email),
            "phone": NetworkField("Phone Number", normalization.phone),
            "first_name": NetworkField("First Name", normalization.text),
            "last_name": NetworkField("Last Name", normalization.text),
            "country": NetworkField("Country", normalization.country),
            "zip": NetworkField("Zip Code", normalization.text),
        },
        columns=("segment",),
        match_roles=("email",),
        tags_segments=True,
    ),
}
"""Upload formats by their name in `--format`."""

TAGS_HEADING = "Tags"
"""Mailchimp's heading of the column with tags."""

FORMATS = (*PLAIN_FORMATS, *UPLOAD_FORMATS)
