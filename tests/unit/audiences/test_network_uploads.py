"""`rfm export` in the formats of networks: every customer is counted, and no personal data is shown."""

from __future__ import annotations

import csv
import sys
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest
import xlsxwriter

from rfm_pipeline.common.installation import extra_hint
from support.audience_shop import (
    CONTACTS,
    HEADER,
    PERSONAL_DATA,
    assert_refused,
    copy_shop,
    published_rows,
    read_csv,
)
from support.cli import Rfm
from support.databases import empty_database

MAPPED = (
    "--phone",
    "Mobile",
    "--first-name",
    "First",
    "--last-name",
    "Last",
    "--country",
    "Country",
    "--zip",
    "Zip",
)


@pytest.fixture
def shop(rfm: Rfm, tmp_path: Path) -> Rfm:
    """The command line in a folder with a result and contacts."""
    copy_shop(tmp_path)
    return rfm


def hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest() if text else ""


@pytest.mark.guarantee("hashed")
def test_google_gets_hashes_under_its_own_headings(shop: Rfm, tmp_path: Path) -> None:
    outcome = shop("export", "-f", "google", "--contacts", CONTACTS, *MAPPED, "-o", "g.csv", "--json")
    assert outcome.code == 0
    rows = read_csv(tmp_path / "g.csv")
    assert list(rows[0]) == ["Email", "Phone", "First Name", "Last Name", "Country", "Zip"]
    assert rows[0] == {
        "Email": hashed("annone@gmail.com"),
        "Phone": hashed("+442079460001"),
        "First Name": hashed("=cmd|'/c calc'!a0"),
        "Last Name": hashed("one"),
        "Country": "GB",
        "Zip": "SW1A 1AA",
    }
    assert outcome.json["hashed"] == ["Email", "Phone", "First Name", "Last Name"]


@pytest.mark.guarantee("hashed")
def test_meta_gets_everything_hashed_under_its_own_headings(shop: Rfm, tmp_path: Path) -> None:
    assert shop("export", "-f", "meta", "--contacts", CONTACTS, *MAPPED, "-o", "m.csv").code == 0
    rows = read_csv(tmp_path / "m.csv")
    assert list(rows[0]) == ["email", "phone", "fn", "ln", "country", "zip"]
    assert rows[1] == {
        "email": hashed("two@example.com"),
        "phone": hashed("16505551212"),
        "fn": hashed("bo"),
        "ln": hashed("two"),
        "country": hashed("us"),
        "zip": hashed("94035"),
    }
    assert rows[0]["email"] == hashed("ann.one+shop@gmail.com"), "Meta leaves dots and what follows a plus"


def test_klaviyo_gets_the_address_first_and_columns_of_the_result(shop: Rfm, tmp_path: Path) -> None:
    outcome = shop(
        "export", "-f", "klaviyo", "--clear", "--contacts", CONTACTS, "--first-name", "First", "-o", "k.csv"
    )
    assert outcome.code == 0
    rows = read_csv(tmp_path / "k.csv")
    first = published_rows(tmp_path)[0]
    assert list(rows[0]) == [
        "Email Address", "First Name", "RFM Segment", "RFM Score", "RFM Recency Days", "RFM Frequency",
        "RFM Monetary", "RFM Last Order Date",
    ]  # fmt: skip
    assert rows[0]["Email Address"] == "ann.one+shop@gmail.com"
    assert rows[0]["RFM Segment"] == first["segment"]
    assert rows[0]["RFM Monetary"] == "500.00"
    assert rows[0]["RFM Last Order Date"] == first["last_order_date"].isoformat()
    assert [row["First Name"] for row in rows] == ["'=cmd|'/c calc'!A0", "Bo", "'@Cy", "Ann"]


def test_mailchimp_gets_the_segment_as_a_tag(shop: Rfm, tmp_path: Path) -> None:
    outcome = shop("export", "-f", "mailchimp", "--clear", "--contacts", CONTACTS, "-o", "m.csv")
    assert outcome.code == 0
    segments = {row["customer_id"]: row["segment"] for row in published_rows(tmp_path)}
    assert read_csv(tmp_path / "m.csv")[:2] == [
        {"Email Address": "ann.one+shop@gmail.com", "Tags": segments["c01"]},
        {"Email Address": "two@example.com", "Tags": segments["c02"]},
    ]


def test_a_segment_name_with_a_comma_is_one_tag(shop: Rfm, tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text('[[segments.rules]]\nsegment = "Good, better"\nr = ">=1"\n')
    assert shop("run", "orders.csv", "--quiet").code == 0
    assert shop("export", "-f", "mailchimp", "--clear", "--contacts", CONTACTS, "-o", "m.csv").code == 0
    assert read_csv(tmp_path / "m.csv")[0]["Tags"] == '"Good, better"'


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("format_", "mapped", "left_out"),
    [
        # By Google's rule c01 and c04 have the same address; c05 has a phone number.
        ("google", MAPPED, {"no_contact": 2, "no_email": 1, "invalid_email": 1, "same_contact": 2}),
        ("google", (), {"no_contact": 2, "no_email": 1, "invalid_email": 2, "same_contact": 2}),
        ("meta", (), {"no_contact": 2, "no_email": 1, "invalid_email": 2, "same_contact": 1}),
        (
            "klaviyo",
            ("--phone", "Mobile"),
            {"no_contact": 2, "no_email": 1, "invalid_email": 1, "same_contact": 1},
        ),
        # Mailchimp does not identify people by phone number.
        (
            "mailchimp",
            ("--phone", "Mobile"),
            {"no_contact": 2, "no_email": 1, "invalid_email": 2, "same_contact": 1},
        ),
    ],
)
def test_every_customer_is_in_the_file_or_left_out_for_a_reason(
    shop: Rfm, tmp_path: Path, format_: str, mapped: tuple[str, ...], left_out: dict[str, int]
) -> None:
    outcome = shop(
        "export", "-f", format_, "--clear", "--contacts", CONTACTS, *mapped, "-o", "x.csv", "--json"
    )
    statistics = outcome.json
    assert statistics["left_out"] == left_out
    assert statistics["exported"] == len(read_csv(tmp_path / "x.csv"))
    assert statistics["exported"] + sum(statistics["left_out"].values()) == statistics["customers"] == 10
    assert statistics["contacts"]["unused"] == 2
    shown = shop("export", "-f", format_, "--clear", "--contacts", CONTACTS, *mapped, "-o", "x.csv").stdout
    for reason, number in left_out.items():
        assert f"{number}  " in shown
        assert f"({reason})" in shown
    assert "2 contacts of no customer in these segments" in shown


def test_unusable_values_are_blank_and_counted_in_each_column(shop: Rfm, tmp_path: Path) -> None:
    outcome = shop("export", "-f", "google", "--contacts", CONTACTS, *MAPPED, "-o", "g.csv", "--json")
    assert outcome.json["contacts"]["unusable"] == {"email": 1, "country": 1}
    rows = read_csv(tmp_path / "g.csv")
    assert [column for row in rows for column in ("Email", "Country") if not row[column]] == [
        "Country",
        "Email",
    ]
    shown = shop("export", "-f", "google", "--contacts", CONTACTS, *MAPPED, "-o", "g.csv").stdout
    assert "! 1 value of email can't be used in this format: left blank" in shown


def write_people(path: Path, header: str, *rows: str) -> None:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def test_a_phone_number_is_that_of_the_rows_country(shop: Rfm, tmp_path: Path) -> None:
    write_people(
        tmp_path / "people.csv",
        "id,email,phone,country",
        "c01,a@example.com,13800138000,CN",
        "c02,b@example.com,13800138001,",
        "c03,c@example.com,0151 12345678,de",
        "c04,d@example.com,0151 12345679,Germany",
        "c05,e@example.com,+44 20 7946 0018,",
        "c06,,020 7946 0019,",
    )
    flags = (
        "-f",
        "klaviyo",
        "--clear",
        "--contacts",
        "people.csv",
        "--phone",
        "phone",
        "--country",
        "country",
    )
    outcome = shop("export", *flags, "-o", "k.csv", "--json")
    numbers = [row["Phone Number"] for row in read_csv(tmp_path / "k.csv")]
    assert numbers == ["+8613800138000", "", "+4915112345678", "", "+442079460018"]
    assert outcome.json["contacts"]["unusable"] == {"phone": 2, "country": 1}
    assert outcome.json["left_out"] == {"no_contact": 4, "invalid_phone": 1}
    # The default country is that of contacts without one; an unreadable country stays unknown.
    outcome = shop("export", *flags, "--default-country", "uk", "-o", "k.csv", "--json")
    numbers = [row["Phone Number"] for row in read_csv(tmp_path / "k.csv")]
    assert numbers == ["+8613800138000", "", "+4915112345678", "", "+442079460018", "+442079460019"]
    assert outcome.json["contacts"]["unusable"] == {"phone": 2, "country": 1}


def test_phone_numbers_in_a_column_of_numbers_are_read(shop: Rfm, tmp_path: Path) -> None:
    with empty_database() as connection:
        people = "(VALUES ('c01', 'a@example.com', 15112345678), ('c02', 'b@example.com', 12345))"
        connection.execute(f"COPY (FROM {people} AS people(id, email, phone)) TO '{tmp_path}/people.parquet'")
    flags = ("--contacts", "people.parquet", "--phone", "phone", "--default-country", "DE", "-o", "m.csv")
    outcome = shop("export", "-f", "meta", *flags, "--json")
    rows = read_csv(tmp_path / "m.csv")
    assert [row["phone"] for row in rows] == [hashed("4915112345678"), ""]
    assert outcome.json["contacts"]["unusable"] == {"phone": 1}


def test_klaviyo_gets_a_phone_number_once(shop: Rfm, tmp_path: Path) -> None:
    write_people(
        tmp_path / "people.csv",
        "id,email,phone",
        "c01,a@example.com,+442079460018",
        "c02,b@example.com,020 7946 0018",
        "c03,,0044 20 7946 0018",
        "c04,d@example.com,+442079460019",
        "c05,,+442079460019",
        "c06,a@example.com,+442079460020",
        "c07,e@example.com,+442079460020",
    )
    flags = ("--clear", "--contacts", "people.csv", "--phone", "phone", "--default-country", "GB")
    outcome = shop("export", "-f", "klaviyo", *flags, "-o", "k.csv", "--json")
    rows = read_csv(tmp_path / "k.csv")
    assert [(row["Email Address"], row["Phone Number"]) for row in rows] == [
        ("a@example.com", "+442079460018"),
        ("b@example.com", ""),
        ("d@example.com", "+442079460019"),
        ("e@example.com", "+442079460020"),
    ]
    assert outcome.json["contacts"]["repeated"] == {"phone": 1}
    assert outcome.json["contacts"]["unusable"] == {}
    assert outcome.json["left_out"] == {"no_contact": 3, "same_contact": 3}
    shown = shop("export", "-f", "klaviyo", *flags, "-o", "k.csv").stdout
    assert "! 1 customer has the phone of one with more revenue, which this format takes once" in shown
    # The others take a number any number of times.
    assert shop("export", "-f", "mailchimp", *flags, "-o", "m.csv").code == 0
    numbers = [row["Phone Number"] for row in read_csv(tmp_path / "m.csv")]
    assert numbers == ["+442079460018", "+442079460018", "+442079460019", "+442079460020"]


def test_without_the_extra_phone_numbers_are_refused_and_addresses_are_not(
    shop: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    flags = ("export", "-f", "google", "--contacts", CONTACTS)
    assert_refused(
        shop(*flags, "--phone", "Mobile", "-o", "g.csv"),
        "Exporting phone numbers needs the audiences extra",
        extra_hint("audiences"),
    )
    assert not (tmp_path / "g.csv").exists()
    assert shop(*flags, "-o", "g.csv").code == 0


@pytest.mark.parametrize(
    ("code", "error", "hint"),
    [
        ("Germany", "'Germany' is not a country's code of two letters, such as 'DE'", "--default-country"),
        ("EN", "No country has the code 'EN', which is the default country", "--default-country DE"),
    ],
)
def test_an_unknown_default_country_is_refused(shop: Rfm, code: str, error: str, hint: str) -> None:
    flags = ("--contacts", CONTACTS, "--phone", "Mobile", "--default-country", code, "-o", "g.csv")
    assert_refused(shop("export", "-f", "google", *flags), error, hint)


@pytest.mark.slow
def test_the_default_country_is_in_metas_file_and_in_googles_postal_addresses_only(
    shop: Rfm, tmp_path: Path
) -> None:
    flags = ("--contacts", CONTACTS, "--default-country", "DE")
    assert shop("export", "-f", "meta", *flags, "-o", "m.csv").code == 0
    assert {row["country"] for row in read_csv(tmp_path / "m.csv")} == {hashed("de")}
    for country in ((), ("--country", "Country")):
        assert shop("export", "-f", "google", *flags, *country, "--phone", "Mobile", "-o", "g.csv").code == 0
        assert list(read_csv(tmp_path / "g.csv")[0]) == ["Email", "Phone"]
    names = ("--first-name", "First", "--last-name", "Last", "--zip", "Zip")
    assert shop("export", "-f", "google", *flags, *names, "-o", "g.csv").code == 0
    assert {row["Country"] for row in read_csv(tmp_path / "g.csv")} == {"DE"}


def test_capitals_of_every_alphabet_match(shop: Rfm, tmp_path: Path) -> None:
    write_people(
        tmp_path / "people.csv", "id,email,first", "c01,ΝΙΚΟΣ@example.com,ΝΊΚΟΣ", "c02,b@example.com,İPEK"
    )
    assert (
        shop("export", "-f", "meta", "--contacts", "people.csv", "--first-name", "first", "-o", "m.csv").code
        == 0
    )
    rows = read_csv(tmp_path / "m.csv")
    assert rows[0] == {"email": hashed("νικος@example.com"), "fn": hashed("νίκος")}
    assert rows[1]["fn"] == hashed("İPEK".lower())


def test_of_customers_with_the_same_address_the_highest_monetary_value_wins(
    shop: Rfm, tmp_path: Path
) -> None:
    flags = ("-f", "klaviyo", "--clear", "--contacts", CONTACTS, "--columns", "customer_id,monetary")
    assert shop("export", *flags, "-o", "k.csv").code == 0
    (two,) = (row for row in read_csv(tmp_path / "k.csv") if row["Email Address"] == "two@example.com")
    assert two["RFM Customer Id"] == "c02"


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_addresses_the_most_frequent_wins_in_any_row_order(
    shop: Rfm, tmp_path: Path, order: int
) -> None:
    rows = [("c01", "b@example.com"), ("c01", "a@example.com"), ("c01", "B@example.com "), ("c01", "none"),
            ("c02", "d@example.com"), ("c02", "c@example.com"), ("c03", "e@example.com")]  # fmt: skip
    with (tmp_path / "several.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "email"), *rows[::order]])
    outcome = shop("export", "-f", "klaviyo", "--clear", "--contacts", "several.csv", "-o", "k.csv", "--json")
    emails = [row["Email Address"] for row in read_csv(tmp_path / "k.csv")]
    assert emails == ["b@example.com", "c@example.com", "e@example.com"]
    assert outcome.json["contacts"]["several_addresses"] == 2


@pytest.mark.slow
def test_no_personal_data_is_in_a_hashed_file_or_on_the_terminal(shop: Rfm, tmp_path: Path) -> None:
    for format_ in ("google", "meta", "klaviyo", "mailchimp"):
        for quiet in ((), ("--json",)):
            flags = (
                "-f",
                format_,
                "--clear",
                "--contacts",
                CONTACTS,
                *MAPPED,
                "-o",
                f"{format_}.csv",
                *quiet,
            )
            outcome = shop("export", *flags)
            assert outcome.code == 0
            expected = (outcome.stdout + outcome.stderr).casefold()
            assert not [value for value in PERSONAL_DATA if value.casefold() in expected]
    for format_ in ("google", "meta"):
        text = (tmp_path / f"{format_}.csv").read_text().casefold()
        assert not [value for value in PERSONAL_DATA if value.casefold() in text]
        assert (tmp_path / f"{format_}.csv").stat().st_mode & 0o777 == 0o600


@pytest.mark.guarantee("hashed")
@pytest.mark.parametrize("format_", ["klaviyo", "mailchimp"])
def test_readable_addresses_need_the_flag_clear(shop: Rfm, tmp_path: Path, format_: str) -> None:
    outcome = shop("export", "-f", format_, "--contacts", CONTACTS, "-o", "x.csv")
    assert_refused(outcome, "contains readable e-mail addresses", "--clear")
    assert not (tmp_path / "x.csv").exists()


def test_personal_columns_are_used_only_if_named(shop: Rfm, tmp_path: Path) -> None:
    assert shop("export", "-f", "google", "--contacts", CONTACTS, "-o", "g.csv").code == 0
    assert list(read_csv(tmp_path / "g.csv")[0]) == ["Email"]


# Contacts


def test_contacts_can_be_configured_in_a_file(shop: Rfm, tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text(f'[export]\ncontacts = "{CONTACTS}"\nphone = "Mobile"\n')
    assert shop("export", "-f", "meta", "-o", "m.csv").code == 0
    assert list(read_csv(tmp_path / "m.csv")[0]) == ["email", "phone"]


def test_contacts_are_read_with_the_configured_options(shop: Rfm, tmp_path: Path) -> None:
    (tmp_path / "people.txt").write_text("id~email\nc01~a@example.com\n")
    (tmp_path / "rfm.toml").write_text('[export]\ncontacts = "people.txt"\n[export.read]\ndelimiter = "~"\n')
    assert shop("export", "-f", "meta", "-o", "m.csv").code == 0
    assert read_csv(tmp_path / "m.csv") == [{"email": hashed("a@example.com")}]


@pytest.mark.matrix
@pytest.mark.parametrize(
    "location", ["contacts.parquet", "contacts.xlsx", "duckdb:crm.duckdb#people", "duckdb:rfm.duckdb#people"]
)
def test_contacts_are_read_from_every_kind_of_local_source(shop: Rfm, tmp_path: Path, location: str) -> None:
    assert shop("export", "-f", "meta", "--contacts", CONTACTS, "-o", "from-csv.csv").code == 0
    scheme, _, table = location.partition("#")
    with duckdb.connect(
        str(tmp_path / scheme.removeprefix("duckdb:")) if table else ":memory:"
    ) as connection:
        people = f"(SELECT * FROM read_csv('{tmp_path / CONTACTS}', all_varchar = true))"
        if table:
            connection.execute(f"CREATE TABLE {table} AS FROM {people}")
        elif location.endswith(".parquet"):
            connection.execute(f"COPY {people} TO '{tmp_path / location}'")
        else:
            with xlsxwriter.Workbook(str(tmp_path / location)) as workbook:
                sheet = workbook.add_worksheet()
                for number, row in enumerate([HEADER, *connection.execute(f"FROM {people}").fetchall()]):
                    sheet.write_row(number, 0, row)
    assert shop("export", "-f", "meta", "--contacts", location, "-o", "x.csv").code == 0
    assert (tmp_path / "x.csv").read_text() == (tmp_path / "from-csv.csv").read_text()


def test_numeric_ids_match_whatever_their_types(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(
        "customer_id,order_date,amount\n17850,2025-01-01,5\n007,2025-01-02,5\n"
    )
    assert rfm("run", "orders.csv", "--quiet").code == 0
    with empty_database() as connection:
        rows = "(VALUES (17850.0::DOUBLE, 'a@example.com'), (1.0, 'b@example.com')) AS people(id, email)"
        connection.execute(f"COPY (FROM {rows}) TO '{tmp_path}/people.parquet'")
    outcome = rfm("export", "-f", "meta", "--contacts", "people.parquet", "-o", "m.csv", "--json")
    assert read_csv(tmp_path / "m.csv") == [{"email": hashed("a@example.com")}]
    assert outcome.json["left_out"] == {"no_contact": 1}


@pytest.mark.parametrize(
    ("header", "flags", "expected"),
    [
        (
            "id,email,mail",
            (),
            ("2 columns of the contacts could be the e-mail address: `email`, `mail`", "--email"),
        ),
        ("customer_id,user_id,email", (), ("could be the customer id", "--customer-id")),
        ("id,address", (), ("was recognised as the e-mail address", "name it with --email")),
        ("who,email", (), ("was recognised as the customer id", "name it with --customer-id")),
        ("id,email", ("--phone", "Fone"), ("--phone names the column `Fone`", "`id`, `email`")),
        ("id,email", ("--email", "Mail"), ("--email names the column `Mail`", "did you mean `email`?")),
    ],
)
def test_columns_are_not_guessed(
    shop: Rfm, tmp_path: Path, header: str, flags: tuple[str, ...], expected: tuple[str, str]
) -> None:
    (tmp_path / "people.csv").write_text(f"{header}\n{','.join('abc'[: header.count(',') + 1])}\n")
    assert_refused(shop("export", "-f", "meta", "--contacts", "people.csv", *flags, "-o", "m.csv"), *expected)


@pytest.mark.parametrize(
    ("flags", "error", "hint"),
    [
        (
            ("--zip", "Zip"),
            "first name, last name, country and zip together",
            "--first-name --last-name --country",
        ),
        (("--columns", "segment"), "takes no columns of the result", "--columns"),
    ],
)
def test_google_needs_complete_postal_addresses_and_accepts_no_result_columns(
    shop: Rfm, flags: tuple[str, ...], error: str, hint: str
) -> None:
    assert_refused(shop("export", "-f", "google", "--contacts", CONTACTS, *flags, "-o", "g.csv"), error, hint)


def test_contacts_are_not_overwritten(shop: Rfm, tmp_path: Path) -> None:
    before = (tmp_path / CONTACTS).read_bytes()
    for contacts in (CONTACTS, "*ntacts.csv"):
        outcome = shop("export", "-f", "google", "--contacts", contacts, "-o", tmp_path / CONTACTS)
        assert_refused(outcome, "is among the contacts", "somewhere else")
    assert (tmp_path / CONTACTS).read_bytes() == before


@pytest.mark.parametrize("location", ["-", "bigquery://shop.crm.people"])
def test_an_unsupported_location_of_contacts_is_an_error(shop: Rfm, location: str) -> None:
    assert_refused(
        shop("export", "-f", "meta", "--contacts", location, "-o", "m.csv"),
        "Contacts can't be read from",
        "file",
    )


def test_missing_contacts_are_an_error(shop: Rfm) -> None:
    assert_refused(
        shop("export", "-f", "meta", "--contacts", "contact.csv", "-o", "m.csv"), "does not exist", CONTACTS
    )
