"""Numbers as people write them: exports are read right, or questioned with a hint that works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.api.segment import segment
from support.cli import Outcome, Rfm
from support.paths import TEST_DATA

CASES = TEST_DATA / "cases"
_FLAG = re.compile(r"""--(?:decimal|thousands|unit|exclude|currency) (?:'[^']*'|"[^"]*"|[0-9.]+|[A-Z]{3})""")


def figures(outcome: Outcome) -> tuple[int, int, str]:
    """Return customers, orders and revenue of a result."""
    assert outcome.code == 0, outcome.stderr
    return outcome.json["customers"], outcome.json["orders"], outcome.json["revenue"]


def flags(hint: str) -> list[list[str]]:
    """Return the flags of a hint, as a shell splits them."""
    return [shlex.split(flag) for flag in _FLAG.findall(hint)]


def hint_of(outcome: Outcome) -> str:
    assert outcome.code == 2
    return " ".join(outcome.stderr.partition("hint: ")[2].split())


def orders(folder: Path, amounts: Sequence[str], header: str = "amount") -> Path:
    """Write a file with one order of one customer per amount."""
    path = folder / "orders.csv"
    lines = [f"o{number};c{number};2026-01-{number:02d};{text}" for number, text in enumerate(amounts, 1)]
    path.write_text("\n".join([f"order_id;customer_id;order_date;{header}", *lines, ""]), encoding="utf-8")
    return path


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("name", "arguments", "right"),
    [
        ("a_dollar.csv", [], (3, 3, "1259.66")),
        ("a_euro.csv", [], (3, 3, "1259.66")),
        ("a_acct.csv", ["--returns", "net"], (1, 1, "20.00")),
        ("a_minus.csv", ["--returns", "net"], (1, 1, "20.00")),
        ("a_nbsp.csv", ["--decimal", ","], (2, 2, "1254.50")),
        ("a_nbsp.csv", ["--decimal", "."], (2, 2, "2469.00")),
        ("french_numbers.csv", ["--amount", "Montant"], (8, 40, "44800.00")),
        ("swiss.csv", [], (8, 40, "44800.00")),
        ("dollar_some.csv", [], (4, 4, "1319.40")),
        ("thousand_some.csv", [], (7, 7, "13861.40")),
    ],
)
def test_a_case_has_the_right_figures(
    rfm: Rfm, name: str, arguments: list[str], right: tuple[int, int, str]
) -> None:
    assert figures(rfm("run", CASES / name, *arguments, "--json")) == right


def test_refunds_in_brackets_come_off(rfm: Rfm) -> None:
    outcome = rfm("run", CASES / "paren_refunds.csv", "--amount", "Net Sales", "--returns", "net", "--json")
    assert outcome.json["revenue"] == "9351.83"
    assert outcome.json["rows"]["kept"] == 200


@pytest.mark.slow
def test_a_sign_in_a_workbook_is_read(rfm: Rfm) -> None:
    outcome = rfm("run", CASES / "xl_dollar_text.xlsx", "--json")
    assert figures(outcome)[1] == 2
    assert "sed" not in outcome.stderr


@pytest.mark.slow
def test_whole_amounts_may_be_cents(rfm: Rfm) -> None:
    outcome = rfm("check", CASES / "cents.csv")
    assert "whole numbers from 756 to 1,146; --unit 0.01 reads them as cents" in " ".join(
        outcome.stdout.split()
    )
    as_written, in_cents = (
        figures(rfm("run", CASES / "cents.csv", *arguments, "--json"))
        for arguments in ([], ["--unit", "0.01"])
    )
    assert float(as_written[2]) == pytest.approx(100 * float(in_cents[2]))


# What the files above stand for, written in other ways.


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("amounts", "revenue"),
    [
        (["£1,234.50", "£5"], "1239.50"),
        (["R$ 1.234,50", "R$ 5,00"], "1239.50"),
        (["1 234,50 zł", "5,00 zł"], "1239.50"),
        (["kr 1.234,50", "5,- kr"], "1239.50"),
        (["CHF 1\u2019234.50", "CHF 5.-"], "1239.50"),
        (["Rs.1,23,456.50", "Rs.5"], "123461.50"),
        (["EUR 1.234,50", "5,00 €"], "1239.50"),
        (["US$1,234.50", "5.00 USD", "$1"], "1240.50"),
        (["AU $1,234.50", "AU $5.00"], "1239.50"),
        (["1,234.50 kr.", "5.00 kr."], "1239.50"),
        (["'1234.50", "'5"], "1239.50"),
        (["1\u202f234,50", "5,00"], "1239.50"),
        (["1\u2009234.50", "5.00"], "1239.50"),
        (["1 234", "5"], "1239.00"),
        (["12,34,567.00", "5.00"], "1234572.00"),
        (["¥1500", "¥20000"], "21500.00"),
        (["1,234", "0.50", "2,000"], "3234.50"),
        (["1.234", "0,50", "2.000"], "3234.50"),
        (["+5.00", "$+7.00", "+ $1"], "13.00"),
    ],
)
def test_amounts_are_read_as_they_are_written(
    rfm: Rfm, tmp_path: Path, amounts: list[str], revenue: str
) -> None:
    outcome = rfm("run", orders(tmp_path, amounts), "--json")
    assert figures(outcome) == (len(amounts), len(amounts), revenue)


@pytest.mark.matrix
@pytest.mark.parametrize(
    "refund", ["(12.50)", "-12.50", "12.50-", "−12.50", "–12.50", "- 12.50", "'-12.50", "( 12.50 )"]
)
@pytest.mark.parametrize("sign", ["", "$"])
def test_refunds_are_negative(rfm: Rfm, tmp_path: Path, refund: str, sign: str) -> None:
    forms = {refund, refund.replace("12.50", f"{sign}12.50"), f"{sign}{refund}"}
    path = orders(tmp_path, ["100.00", *sorted(form for form in forms if "$'" not in form)])
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r";c[0-9]+;", ";c1;", text).replace("\no2;", "\no1;"), encoding="utf-8")
    outcome = rfm("run", path, "--returns", "net", "--json")
    assert outcome.json["rows"]["excluded"] == {}
    assert float(outcome.json["revenue"]) == 100 - 12.5 * (len(text.splitlines()) - 2)


# Questions


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("amounts", "revenues"),
    [
        (["1,234", "2,500", "7"], {"3741.00", "10.734"}),
        (["1.234", "2.500", "7"], {"3741.00", "10.734"}),
        (["$1,234", "$999"], {"2233.00", "1000.234"}),
        (["1.234 €", "12 €"], {"1246.00", "13.234"}),
        (["1.234", "5,678"], {"1239.678", "5679.234"}),
        (["12,50", "12.50"], {"12.50"}),
        (["1 234,50", "20,00", "1'234.50", "1 234.50"], {"1254.50", "2469.00"}),
        (["12,50", "3,20", "4.10"], {"15.70"}),
        (["$5", "$6", "€7"], {"11.00"}),
        (["5 USD", "7 EUR", "9 GBP", "11 USD"], {"16.00"}),
        (["kr 5", "5 zł"], {"5.00"}),
    ],
)
def test_each_answer_of_a_question_works(
    rfm: Rfm, tmp_path: Path, amounts: list[str], revenues: set[str]
) -> None:
    path = orders(tmp_path, amounts)
    asked = rfm("run", path, "--json")
    assert "`amount`" in asked.stderr
    assert rfm("check", path).code == 2
    answers = flags(hint_of(asked))
    assert answers
    results = [figures(rfm("run", path, *answer, "--json")) for answer in answers]
    assert {revenue for *_, revenue in results} == revenues


@pytest.mark.parametrize("flag", [["--decimal", ","], ["--thousands", "."]])
def test_a_setting_that_the_numbers_contradict_is_refused(rfm: Rfm, tmp_path: Path, flag: list[str]) -> None:
    path = orders(tmp_path, ["12.50", "3.20"])
    refused = rfm("run", path, *flag)
    assert f"leave {flag[0]} out" in hint_of(refused)
    assert figures(rfm("run", path, "--json")) == (2, 2, "15.70")


def test_the_hint_of_the_python_function_works(tmp_path: Path) -> None:
    path = orders(tmp_path, ["1,234", "7"])
    with pytest.raises(Exception, match="two ways") as raised:
        segment(path)
    hint = getattr(raised.value, "hint", "")
    assert "thousands=','" in hint
    assert "decimal=','" in hint
    assert sum(part.revenue for part in segment(path, thousands=",").summary) == 1241


@pytest.mark.slow
def test_a_unit_is_exact(rfm: Rfm, tmp_path: Path) -> None:
    path = orders(tmp_path, ["333333333333333333", "1", "-1"], "amount_cents")
    outcome = rfm("run", path, "--amount", "amount_cents", "--json")
    assert figures(outcome)[2] == "3333333333333333.34"
    as_written = rfm(
        "run", path, "--amount", "amount_cents", "--unit", "1", "--json", "--to", "duckdb:b.duckdb"
    )
    assert figures(as_written)[2] == "333333333333333334.00"


# More lines than the sample


def many(folder: Path, first: str, last: Sequence[str]) -> Path:
    """Write a file with 3,000 orders of one amount, and then some others."""
    path = folder / "many.csv"
    duckdb.execute(
        "COPY (SELECT 'c' || i AS customer_id, 'o' || i AS order_id, DATE '2026-01-01' AS ordered_at,"
        f" CASE WHEN i < 3000 THEN $1 ELSE $2[i - 2999] END AS amount FROM range({3000 + len(last)}) AS t(i))"
        f" TO '{path}' (HEADER)",
        [first, list(last)],
    )
    return path


@pytest.mark.slow
def test_later_values_decide_what_the_sample_does_not(rfm: Rfm, tmp_path: Path) -> None:
    assert figures(rfm("run", many(tmp_path, "1,000", ["0.50"]), "--json"))[2] == "3000000.50"
    assert figures(rfm("run", many(tmp_path, "1.000", ["0,50"]), "--json"))[2] == "3000000.50"


def test_later_values_that_contradict_are_never_read_by_guess(rfm: Rfm, tmp_path: Path) -> None:
    for first, last in (("1.50", "1,50"), ("1,50", "1.5"), ("2", "1.234"), ("2", "1,234"), ("2", "1,5")):
        outcome = rfm("run", many(tmp_path, first, [last]), "--json", "--to", f"duckdb:{first}{last}.duckdb")
        assert outcome.json["rows"]["excluded"] == {"invalid_amount": 1}
        (audit,) = (audit for audit in outcome.json["audits"] if audit["name"] == "amounts_read")
        assert last in audit["detail"]


def test_three_unreadable_values_are_shown(rfm: Rfm, tmp_path: Path) -> None:
    outcome = rfm("run", orders(tmp_path, ["5.00", "n/a", "free", "12 pcs", "?", *["7.00"] * 20]), "--json")
    (audit,) = (audit for audit in outcome.json["audits"] if audit["name"] == "amounts_read")
    assert audit["status"] == "warning"
    assert audit["detail"].count("'") == 6
