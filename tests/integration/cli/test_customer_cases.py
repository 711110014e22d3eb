"""Who a customer is and what an order is, in files as people have them: read right, told, or questioned."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.cli import Outcome, Rfm
from support.paths import TEST_DATA

CASES = TEST_DATA / "cases"


def figures(outcome: Outcome) -> tuple[int, int, str]:
    """Return customers, orders and revenue of a result."""
    assert outcome.code == 0, outcome.stderr
    return outcome.json["customers"], outcome.json["orders"], outcome.json["revenue"]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def notes(outcome: Outcome) -> str:
    assert outcome.code == 0, outcome.stderr
    return "\n".join(outcome.json["notes"])


def write(folder: Path, lines: Sequence[str]) -> Path:
    path = folder / "lines.csv"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("name", "arguments", "right", "note"),
    [
        ("email_case.csv", "", (2, 4, "310.00"), ""),
        (
            "status_generic.csv",
            "",
            (3, 3, "180.00"),
            "placeholders in `customer_id` are missing_customer: 0 (2)",
        ),
        ("repeated_total.csv", "", (3, 4, "112.00"), "`order_total` repeats on the lines of an order"),
        ("repeated_total.csv", "--amount-of line", (3, 4, "242.00"), ""),
        ("repeated_total.csv", "--window '24 months'", (3, 4, "112.00"), "not counted again: 130.00"),
        ("repeated_total.csv", "--returns net", (3, 4, "112.00"), "not counted again: 130.00"),
        ("woo_plugin.csv", "--amount 'Order Total Amount'", (1, 1, "65.00"), "not counted again: 65.00"),
        ("reused_ids.csv", "", (2, 3, "70.00"), "under several customers"),
        ("reused_ids.csv", "", (2, 3, "70.00"), "1 order in `order_id` with dates months apart"),
        ("no_order_id.csv", "", (3, 6, "77.00"), "no order column: each line counts as an order"),
        ("customer_level.csv", "--ordered-at most_recent_visit", (3, 30, "2668.00"), "one line per customer"),
        ("customer_level.csv", "", (3, 30, "2668.00"), "`number_of_orders` is the number of orders"),
        ("customer_level.csv", "--window '24 months'", (3, 30, "2668.00"), ""),
        ("one_line_a_customer.csv", "", (40, 120, "4780.00"), "`order_num_total_ever_online` is the number"),
        (
            "one_line_a_customer.csv",
            "--customer-id master_id --ordered-at last_order_date --amount customer_value_total_ever_online",
            (40, 120, "4780.00"),
            "one line per customer",
        ),
        (
            "neg_m.csv",
            "--returns net --window '12 months' --as-of 2026-06-30",
            (2, 2, "-430.00"),
            "1 customer has a negative monetary value",
        ),
    ],
)
def test_the_case_is_read_right_and_told(
    rfm: Rfm, name: str, arguments: str, right: tuple[int, int, str], note: str
) -> None:
    outcome = rfm("run", str(CASES / name), *shlex.split(arguments), "--json")
    assert figures(outcome) == right
    assert note in notes(outcome)


def test_repeats_of_a_total_are_stated_apart_from_what_counts(rfm: Rfm) -> None:
    amount = rfm("run", str(CASES / "repeated_total.csv"), "--json").json["amount"]
    assert amount == {"kept": "112.00", "excluded": {}, "repeated_total": "130.00"}


@pytest.mark.parametrize("name", ["sci_ids.csv", "guest_ids.csv"])
def test_ids_that_a_spreadsheet_ruined_stop_the_run(rfm: Rfm, name: str) -> None:
    outcome = rfm("run", str(CASES / name))
    assert outcome.code == 2
    assert "scientific notation" in outcome.stderr
    assert "01235E" not in outcome.stderr


@pytest.mark.slow
def test_ruined_ids_beyond_the_first_lines_stop_the_run_too(rfm: Rfm, tmp_path: Path) -> None:
    lines = [f"c{line},o{line},2026-01-{line % 28 + 1:02d},5.5" for line in range(2_500)]
    header = "customer_id,order_id,order_date,amount"
    source = write(tmp_path, [header, *lines, "6.01235E+12,o9999,2026-01-05,5.5"])
    outcome = rfm("run", str(source))
    assert outcome.code == 2
    assert "(1 line)" in outcome.stderr
    check = rfm("check", str(source))
    assert (check.code, check.stderr) == (2, outcome.stderr)
    source = write(tmp_path, [header, *lines, "c1,6.01235E+12,2026-01-05,5.5"])
    assert "`order_id` are in scientific notation" in rfm("run", str(source)).stderr
    outcome = rfm("run", str(source), "--exclude", "ruined=order_id LIKE '%E+%'", "--json")
    assert outcome.json["rows"]["excluded"] == {"ruined": 1}


def test_placeholders_are_no_customers(rfm: Rfm, tmp_path: Path) -> None:
    words = [
        "NULL",
        "nan",
        "Guest",
        " guest ",
        "N/A",
        "None",
        "-",
        "(not set)",
        "#N/A",
        "Gast",
        "invité",
        "\u00a0",
    ]
    lines = [f"{word},o{line},2026-01-05,1" for line, word in enumerate(words)]
    kept = [f"c{line},k{line},2026-01-0{line + 1},10" for line in range(3)]
    source = write(tmp_path, ["customer_id,order_id,order_date,amount", *kept, *lines])
    outcome = rfm("run", str(source), "--json")
    assert figures(outcome) == (3, 3, "30.00")
    assert outcome.json["rows"]["excluded"] == {"missing_customer": len(words)}
    assert "guest (2)" in notes(outcome)


def test_ids_are_trimmed_and_addresses_folded(rfm: Rfm, tmp_path: Path) -> None:
    ids = [
        " 17850",
        "17850.0",
        "17850\t",
        "\u200317850",
        "Ann@X.com",
        "ann@x.COM ",
        "ÜNAL@x.com",
        "ünal@x.com",
    ]
    lines = [f"{name},o{line},2026-01-05,1" for line, name in enumerate(ids)]
    source = write(tmp_path, ["customer_id,order_id,order_date,amount", *lines])
    assert figures(rfm("run", str(source), "--json"))[0] == 3


def test_nearly_equal_ids_are_counted(rfm: Rfm, tmp_path: Path) -> None:
    ids = ["12345", "012345", "AB 1", "ab1", "c7", "C8"]
    lines = [f"{name},o{line},2026-01-05,1" for line, name in enumerate(ids)]
    source = write(tmp_path, ["customer_id,order_id,order_date,amount", *lines])
    assert "4 customers in `customer_id` have the id of another customer but" in notes(
        rfm("run", str(source), "--json")
    )


@pytest.mark.slow
def test_one_customer_with_a_tenth_of_the_orders_is_a_warning(rfm: Rfm, tmp_path: Path) -> None:
    lines = [f"c{line},o{line},2026-01-05,1" for line in range(60)]
    till = [f"jane@example.com,t{line},2026-01-05,1" for line in range(10)]
    source = write(tmp_path, ["customer_id,order_id,order_date,amount", *lines, *till])
    outcome = rfm("run", str(source), "--json")
    (audit,) = [audit for audit in outcome.json["audits"] if audit["name"] == "largest_customer"]
    assert audit["status"] == "warning"
    assert "10 of 70 orders (14.3 %)" in audit["detail"]
    assert "jane@" not in outcome.stdout
    assert "jane@" not in outcome.stderr
    fewer = write(tmp_path, ["customer_id,order_id,order_date,amount", *lines[:30], *till])
    assert "may stand for buyers" not in rfm("run", str(fewer), "--json").stdout


@pytest.mark.slow
def test_customer_zero_with_most_orders_beyond_the_first_lines_is_a_question(
    rfm: Rfm, tmp_path: Path
) -> None:
    lines = [f"{line % 700 + 1},o{line},2026-01-05,1" for line in range(2_100)]
    guests = [f"0,g{line},2026-01-05,1" for line in range(20)]
    source = write(tmp_path, ["customer_id,order_id,order_date,amount", *lines, *guests])
    outcome = rfm("run", str(source))
    assert outcome.code == 2
    assert "has 20 orders, and no other has more than 3" in outcome.stderr
    assert figures(rfm("run", str(source), "--zero-customer", "keep", "--json"))[0] == 701
    assert figures(rfm("run", str(source), "--zero-customer", "missing", "--json"))[0] == 700


@pytest.mark.slow
def test_the_question_about_a_repeated_amount_has_flags_that_work(rfm: Rfm, tmp_path: Path) -> None:
    lines = [
        f"c{number % 5},o{number},2026-01-05,item {item},{10 + number}.5"
        for number in range(12)
        for item in range(2)
    ]
    source = write(tmp_path, ["customer_id,order_id,order_date,product,amount", *lines])
    outcome = rfm("run", str(source))
    assert outcome.code == 2
    assert "192.00" in outcome.stderr
    assert "384.00" in outcome.stderr
    assert figures(rfm("run", str(source), "--amount-of", "order", "--json")) == (5, 12, "192.00")
    assert figures(rfm("run", str(source), "--amount-of", "line", "--json")) == (5, 12, "384.00")


@pytest.mark.slow
def test_a_refund_column_is_subtracted_from_a_total_once(rfm: Rfm, tmp_path: Path) -> None:
    header = "customer_id,order_id,order_date,product,order_total,refunded_amount"
    lines = [
        "a,1,2026-01-05,x,50,10", "a,1,2026-01-05,y,50,",  # refunded on one line
        "b,2,2026-01-06,x,20,5", "b,2,2026-01-06,y,20,5",  # the refund repeats, too
        "c,3,2026-01-07,x,30,30", "c,3,2026-01-07,y,30,",  # refunded as a whole
    ]  # fmt: skip
    source = write(tmp_path, [header, *lines])
    for window in ([], ["--window", "12 months"]):
        outcome = rfm("run", str(source), "--refund", "refunded_amount", *window, "--json")
        assert figures(outcome) == (2, 2, "55.00")
        assert outcome.json["rows"]["excluded"] == {"non_positive_amount": 2}
    netted = rfm("run", str(source), "--refund", "refunded_amount", "--returns", "net", "--json")
    assert figures(netted) == (2, 2, "55.00")


def test_customers_without_orders_are_excluded_by_name(rfm: Rfm, tmp_path: Path) -> None:
    header = "Customer ID,Email,Total Orders,Total Spent,Last Order"
    lines = [
        "1,a@x.com,2,30.00,2026-01-05", "2,b@x.com,0,0.00,",
        "3,c@x.com,1,12.50,2026-02-05", "4,d@x.com,x,1,2026-02-05",
        *(f"{number},{number}@x.com,1,5,2026-03-01" for number in range(5, 60)),
    ]  # fmt: skip
    outcome = rfm("run", str(write(tmp_path, [header, *lines])), "--json")
    assert figures(outcome) == (57, 58, "317.50")
    assert outcome.json["rows"]["excluded"] == {"invalid_frequency": 1, "no_orders": 1}


@pytest.mark.slow
def test_a_long_customer_table_is_a_question_whose_hint_works(rfm: Rfm, tmp_path: Path) -> None:
    lines = [f"k{line},{line % 5 + 1},{line}.5,2026-01-{line % 28 + 1:02d}" for line in range(2_400)]
    source = write(tmp_path, ["customer_id,orders_count,total_spent,last_order_date", *lines])
    outcome = rfm("run", str(source))
    assert outcome.code == 2
    hint = " ".join(outcome.stderr.partition("hint: ")[2].split())
    as_table, _, rest = hint.partition(" reads it so; ")
    as_lines = rest.partition(" reads each line")[0]
    assert figures(rfm("run", str(source), *shlex.split(as_table), "--json"))[:2] == (2400, 7200)
    assert figures(rfm("run", str(source), *shlex.split(as_lines), "--to", "duckdb:b.duckdb", "--json"))[
        :2
    ] == (
        2400,
        2400,
    )


@pytest.mark.slow
def test_protecting_apostrophes_are_removed_from_contacts(rfm: Rfm, tmp_path: Path) -> None:
    lines = [f"{number},o{number},2026-01-0{number},10" for number in range(1, 7)]
    source = write(tmp_path, ["customer_id,order_id,order_date,amount", *lines])
    assert rfm("run", str(source), "--zero-customer", "keep").code == 0
    Path("rfm.toml").write_text(
        f"""[export]
contacts = "{CASES / "contacts.csv"}"
phone = "phone"
first_name = "first_name"
last_name = "last_name"
country = "country"
zip = "zip"
""",
        encoding="utf-8",
    )
    for network, phone, postcode in (
        ("meta", sha256("33639980017"), sha256("75008")),
        ("google", sha256("+33639980017"), "75008"),
    ):
        outcome = rfm("export", "--format", network, "--output", f"{network}.csv", "--json")
        assert outcome.code == 0, outcome.stderr
        written = Path(f"{network}.csv").read_text(encoding="utf-8")
        (line,) = [line for line in written.splitlines() if sha256("ok@example.co.uk") in line]
        assert phone in line
        assert postcode in line
        assert outcome.json["contacts"]["unusable"]["phone"] > 0


def test_order_ids_that_start_anew_beyond_the_first_lines_are_named(rfm: Rfm, tmp_path: Path) -> None:
    lines = [
        f"c{(number * 7 + year) % 900},{number + 1},{year}-{number % 12 + 1:02d}-05,{number % 90 + 1}.5"
        for year in (2024, 2025)
        for number in range(1_500)
    ]
    source = write(tmp_path, ["customer_id,order_id,order_date,amount", *lines])
    assert "under several customers: at least" in notes(rfm("run", str(source), "--json"))
