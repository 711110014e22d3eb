"""What a sale is: exports with statuses, refunds and currencies are read right, or questioned."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from rfm_pipeline.api.segment import segment
from rfm_pipeline.errors import ColumnError
from support.cli import Outcome, Rfm
from support.paths import TEST_DATA

CASES = TEST_DATA / "cases"
HEADER = "order_id,customer_id,order_date,total"
_FLAG = re.compile(
    r"""--(?:exclude|returns|line-types|status-column|currency|currency-column|amount|refund)"""
    r""" (?:'[^']*'|"[^"]*"|[A-Za-z_]+)"""
)


def figures(outcome: Outcome) -> tuple[int, int, str]:
    """Return customers, orders and revenue of a result."""
    assert outcome.code == 0, outcome.stderr
    return outcome.json["customers"], outcome.json["orders"], outcome.json["revenue"]


def notes(outcome: Outcome) -> str:
    return "; ".join(outcome.json["notes"])


def question(outcome: Outcome) -> tuple[str, str]:
    """Return message and hint of a question, each as one line."""
    assert outcome.code == 2, outcome.stderr
    message, _, hint = outcome.stderr.partition("hint: ")
    return " ".join(message.split()), " ".join(hint.split())


def answers(hint: str) -> list[list[str]]:
    """Return the flags of each alternative in a hint."""
    return [
        [word for flag in _FLAG.findall(part) for word in shlex.split(flag)]
        for part in re.split(r", (?:or )?(?=[-a-z])", hint)
        if _FLAG.search(part)
    ]


def write(folder: Path, header: str, *lines: str) -> Path:
    path = folder / "orders.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


# Statuses


@pytest.mark.parametrize(
    ("name", "right", "lines", "money"),
    [
        ("statuses.csv", (9, 29, "1293.00"), 11, "487.00"),
        ("cents.csv", (7, 35, "33360.00"), 5, "4680.00"),
    ],
)
def test_lines_that_are_no_sale_are_excluded_with_their_money(
    rfm: Rfm, name: str, right: tuple[int, int, str], lines: int, money: str
) -> None:
    outcome = rfm("run", CASES / name, "--json")
    assert figures(outcome) == right
    assert outcome.json["rows"]["excluded"] == {"not_a_sale": lines}
    assert outcome.json["amount"]["excluded"] == {"not_a_sale": money}
    assert "no sale by `Status`" in notes(outcome)


def test_a_generic_status(rfm: Rfm) -> None:
    outcome = rfm("run", CASES / "status_generic.csv", "--json")
    assert outcome.json["rows"]["excluded"]["not_a_sale"] == 3
    assert outcome.json["amount"]["excluded"]["not_a_sale"] == "1470.00"
    assert "cancelled (1), refunded (1), failed (1)" in notes(outcome)
    assert "pending (1)" in notes(outcome)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["woo_analytics.csv", "olist_merged.csv"])
def test_a_recognised_export_with_columns_of_its_own_excludes_statuses(rfm: Rfm, name: str) -> None:
    right = {"woo_analytics.csv": (8, 33, "1479.00"), "olist_merged.csv": (9, 35, "1750.00")}
    assert figures(rfm("run", CASES / name, "--json")) == right[name]


@pytest.mark.slow
def test_the_settings_switch_the_rule_off_and_extend_it(rfm: Rfm) -> None:
    everything = rfm("run", CASES / "statuses.csv", "--status-column", "none", "--json")
    assert figures(everything)[1] == 40
    assert "no status column is used" in notes(everything)
    Path("rfm.toml").write_text('[status]\nsale = ["refunded"]\nno_sale = ["completed"]\n', encoding="utf-8")
    assert figures(rfm("run", CASES / "statuses.csv", "--json", "--replace-source"))[1] == 4


def test_an_exclusion_of_the_users_takes_the_place_of_the_rule(rfm: Rfm) -> None:
    own = rfm("run", CASES / "statuses.csv", "--exclude", "mine=Status = 'Cancelled'", "--json")
    assert own.json["rows"]["excluded"] == {"mine": 7}
    assert "read by mine" in notes(own)
    assert "Refunded (4)" in notes(own)


def test_an_exclusion_cannot_have_the_name_of_the_rule(rfm: Rfm) -> None:
    outcome = rfm("run", CASES / "statuses.csv", "--exclude", "not_a_sale=Status = 'Cancelled'")
    assert outcome.code == 2
    assert "not_a_sale" in outcome.stderr


def test_the_rule_comes_before_the_customer(rfm: Rfm, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"{HEADER},status",
        "1,,2026-01-01,5,cancelled",
        "2,a,2026-01-02,7,paid",
        "3,,2026-01-02,9,paid",
    )
    outcome = rfm("run", path, "--json")
    assert outcome.json["amount"]["excluded"] == {"not_a_sale": "5.00", "missing_customer": "9.00"}


STATUSES = [
    "1,a,2026-01-01,100,{},{}", "2,a,2026-01-02,50,{},{}", "3,b,2026-01-03,30,{},{}",
    "4,c,2026-01-04,7,{},{}",
]  # fmt: skip


@pytest.mark.slow
def test_statuses_that_disagree_are_asked_about_and_each_answer_works(rfm: Rfm, tmp_path: Path) -> None:
    values = [("cancelled", "paid"), ("completed", "paid"), ("completed", "refunded"), ("completed", "paid")]
    lines = [line.format(*pair) for line, pair in zip(STATUSES, values, strict=True)]
    path = write(tmp_path, f"{HEADER},order_status,payment_status", *lines)
    message, hint = question(rfm("run", path))
    assert "`order_status` and `payment_status` disagree" in message
    for flags, revenue in zip(answers(hint), ("87.00", "157.00"), strict=True):
        assert revenue in hint
        assert figures(rfm("run", path, *flags, "--json"))[2] == revenue


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("header", "values", "right"),
    [
        ("Bestellstatus", ["Versendet", "Storniert", "Bezahlt", "Fehlgeschlagen"], (2, 2, "130.00")),
        ("statut", ["Livrée", "annulée", "Remboursée", "Livrée"], (2, 2, "107.00")),
        ("Estado", ["Enviado", "Cancelado", "Pagado", "Reembolsado"], (2, 2, "130.00")),
        ("estado do pedido", ["Concluído", "Cancelado", "Pago", "Recusado"], (2, 2, "130.00")),
        ("Stato", ["Consegnato", "Annullato", "Pagato", "Rimborsato"], (2, 2, "130.00")),
        ("bestelstatus", ["Betaald", "Geannuleerd", "Verzonden", "Mislukt"], (2, 2, "130.00")),
        ("Status zamówienia", ["Opłacone", "Anulowane", "WYSŁANE", "Zwrócone"], (2, 2, "130.00")),
        ("post_status", ["wc-completed", "wc-cancelled", "wc-processing", "wc-refunded"], (2, 2, "130.00")),
        ("PaymentStatus", ["Captured", "Payment_Failed", "CAPTURED", "chargeback"], (2, 2, "130.00")),
        ("state", ["complete", "canceled", "processing", "closed"], (3, 3, "137.00")),
        ("Cancelled at", ["", "2026-02-01", "", ""], (3, 3, "137.00")),
        ("is_test", ["false", "true", "false", "false"], (3, 3, "137.00")),
    ],
)  # fmt: skip
def test_statuses_in_any_language_and_form(
    rfm: Rfm, tmp_path: Path, header: str, values: list[str], right: tuple[int, int, str]
) -> None:
    lines = [line.format(value, "x") for line, value in zip(STATUSES, values, strict=True)]
    outcome = rfm("run", write(tmp_path, f"{HEADER},{header},note", *lines), "--json")
    assert figures(outcome) == right
    assert set(outcome.json["rows"]["excluded"]) == {"not_a_sale"}
    assert f"`{header}`" in notes(outcome)


@pytest.mark.parametrize(
    "header", ["delivery_status", "Email Status", "subscription_status", "fulfillment status"]
)
def test_the_status_of_another_thing_excludes_nothing_and_is_named(
    rfm: Rfm, tmp_path: Path, header: str
) -> None:
    lines = [
        line.format(value, "x") for line, value in zip(STATUSES, ["failed", "delivered"] * 2, strict=True)
    ]
    outcome = rfm("run", write(tmp_path, f"{HEADER},{header},note", *lines), "--json")
    assert figures(outcome) == (3, 4, "187.00")
    assert f"`{header}` is no order's status" in notes(outcome)


def test_statuses_beyond_the_sample_are_excluded(rfm: Rfm, tmp_path: Path) -> None:
    lines = [f"{n},{n % 30},2026-01-01,1,{'paid' if n < 2400 else 'Voided'}" for n in range(2500)]
    outcome = rfm("run", write(tmp_path, f"{HEADER},status", *lines), "--json")
    assert outcome.json["rows"]["excluded"]["not_a_sale"] == 100


def test_the_printed_query_lists_the_words(rfm: Rfm) -> None:
    outcome = rfm("sql", CASES / "statuses.csv")
    assert "THEN 'not_a_sale'" in outcome.stdout
    assert "'canceled', 'cancelled'" in outcome.stdout
    assert "storniert" not in outcome.stdout


def test_check_shows_what_run_does(rfm: Rfm) -> None:
    assert "no sale by `Status`: Cancelled (7), Refunded (4)" in " ".join(
        rfm("check", CASES / "statuses.csv").stdout.split()
    )
    assert question(rfm("check", CASES / "multicurrency.csv")) == question(
        rfm("run", CASES / "multicurrency.csv")
    )


# Refunds


@pytest.mark.slow
def test_refund_lines_are_subtracted_once(rfm: Rfm, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"{HEADER},status",
        "1,a,2026-01-01,100,refunded", "1,a,2026-01-05,-100,refunded", "2,a,2026-01-06,20,completed",
        "3,b,2026-01-01,50,partially refunded", "3,b,2026-01-05,-10,refunded", "4,c,2026-01-09,5,cancelled",
    )  # fmt: skip
    outcome = rfm("run", path, "--json")
    assert figures(outcome) == (2, 2, "60.00")
    assert "lines of refunds are subtracted: 2 lines, -110.00" in notes(outcome)
    left_out = rfm("run", path, "--returns", "exclude", "--json")
    assert figures(left_out) == (2, 2, "70.00")


@pytest.mark.parametrize("status", ["completed", "refunded", "Fully Refunded"])
def test_a_refund_column_and_a_full_refund_count_once(rfm: Rfm, tmp_path: Path, status: str) -> None:
    path = write(
        tmp_path,
        f"{HEADER},Refunded Amount,status",
        f"1,a,2026-01-01,100,100,{status}", "2,b,2026-01-02,50,20,completed", "3,b,2026-01-03,5,,completed",
    )  # fmt: skip
    outcome = rfm("run", path, "--refund", "Refunded Amount", "--json")
    assert figures(outcome) == (1, 2, "35.00")


# Currencies


def test_several_currencies_are_asked_about(rfm: Rfm) -> None:
    message, hint = question(rfm("run", CASES / "multicurrency.csv"))
    assert "INR 12,319.00 (2 lines), USD 600.00 (2 lines)" in message
    assert "--currency INR" in hint
    assert "rates = { INR = 1, USD = RATE }" in hint


def test_one_currency_counts_and_the_others_are_excluded_each_with_its_money(rfm: Rfm) -> None:
    outcome = rfm("run", CASES / "multicurrency.csv", "--currency", "usd", "--json")
    assert figures(outcome) == (2, 2, "600.00")
    assert outcome.json["amount"]["excluded"] == {"other_currency_inr": "12319.00"}


def test_rates_convert_amounts_exactly(rfm: Rfm) -> None:
    Path("rfm.toml").write_text("[currency]\nrates = { USD = 1, INR = 0.012 }\n", encoding="utf-8")
    outcome = rfm("run", CASES / "multicurrency.csv", "--json")
    assert figures(outcome) == (3, 4, "747.828")
    assert "amounts converted into USD by `currency`: INR × 0.012" in notes(outcome)
    Path("rfm.toml").write_text("[currency]\nrates = { USD = 1 }\n", encoding="utf-8")
    message, hint = question(rfm("run", CASES / "multicurrency.csv"))
    assert "INR 12,319.00 (2 lines)" in message
    assert "add INR" in hint


def test_one_currency_whatever_the_column_says(rfm: Rfm) -> None:
    outcome = rfm("run", CASES / "multicurrency.csv", "--currency-column", "none", "--json")
    assert figures(outcome) == (3, 4, "12919.00")


@pytest.mark.slow
@pytest.mark.parametrize(("code", "revenue"), [("usd", "10.00"), ("EUR", "50.00")])
def test_a_payments_export_in_two_currencies(rfm: Rfm, code: str, revenue: str) -> None:
    message, _ = question(rfm("run", CASES / "stripe.csv"))
    assert "EUR 70.00 (1 line), USD 10.00 (1 line)" in message
    assert figures(rfm("run", CASES / "stripe.csv", "--currency", code, "--json")) == (1, 1, revenue)


def test_a_currency_beyond_the_sample_stops_the_run(rfm: Rfm, tmp_path: Path) -> None:
    currencies = ["eur"] * 2400 + ["GBP"] * 60 + [""] * 40
    lines = [f"{n},c{n % 30},2026-01-01,10,{code}" for n, code in enumerate(currencies)]
    path = write(tmp_path, f"{HEADER},Currency", *lines)
    message, hint = question(rfm("run", path))
    assert "EUR 24,400.00 (2,440 lines), GBP 600.00 (60 lines)" in message
    outcome = rfm("run", path, *answers(hint)[0], "--json")
    assert outcome.json["rows"]["excluded"] == {"other_currency_gbp": 60}
    assert question(rfm("explain", "c1", path))[0] == message


def test_a_currency_that_an_exclusion_leaves_out_stops_nothing(rfm: Rfm, tmp_path: Path) -> None:
    lines = [f"{n},c{n % 30},2026-01-01,10,{'EUR' if n < 2400 else 'GBP'}" for n in range(2500)]
    path = write(tmp_path, f"{HEADER},Currency", *lines)
    outcome = rfm("run", path, "--exclude", "pounds=Currency = 'GBP'", "--json")
    assert outcome.json["rows"]["excluded"] == {"pounds": 100}


def test_converted_amounts_are_offered_and_work(rfm: Rfm, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "order_id,customer_id,order_date,Total,Currency,Converted Total,Converted Currency",
        "1,a,2026-01-01,10,usd,10,usd", "2,b,2026-01-02,10,eur,11.50,usd",
    )  # fmt: skip
    _, hint = question(rfm("run", path, "--amount", "Total"))
    (converted,) = [flags for flags in answers(hint) if "--amount" in flags]
    assert figures(rfm("run", path, *converted, "--json")) == (2, 2, "21.50")


@pytest.mark.slow
def test_signs_beside_amounts(rfm: Rfm, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, "1,a,2026-01-01,$10.00", "2,b,2026-01-02,€20.00", "3,c,2026-01-03,7.00")
    question(rfm("run", path))
    outcome = rfm("run", path, "--currency", "USD", "--json")
    assert figures(outcome) == (2, 2, "17.00")
    assert outcome.json["rows"]["excluded"] == {"other_currency_eur": 1}


def test_the_python_function_asks_and_takes_the_answer() -> None:
    with pytest.raises(ColumnError) as caught:
        segment(CASES / "multicurrency.csv")
    assert caught.value.hint is not None
    assert "currency='INR'" in caught.value.hint
    assert "currency_column='none'" in caught.value.hint
    result = segment(CASES / "multicurrency.csv", currency="USD")
    assert result.revenue == 600


# Other money


@pytest.mark.slow
def test_lines_of_tax_are_asked_about_and_each_answer_works(rfm: Rfm) -> None:
    message, hint = question(rfm("run", CASES / "tax_lines.csv"))
    assert "tax 4.00 (1 line)" in message
    assert "shipping 4.95 (1 line)" in message
    without, everything = answers(hint)
    assert figures(rfm("run", CASES / "tax_lines.csv", *without, "--json")) == (2, 2, "42.00")
    assert figures(rfm("run", CASES / "tax_lines.csv", *everything, "--json")) == (2, 2, "50.95")


def test_money_that_plays_no_role_is_named(rfm: Rfm, tmp_path: Path) -> None:
    path = write(
        tmp_path, f"{HEADER},Tax,Shipping cost", "1,a,2026-01-01,10,1.50,4", "2,b,2026-01-02,20,2.50,0"
    )
    assert "not used: `Tax` (4.00), `Shipping cost` (4.00)" in notes(rfm("run", path, "--json"))


@pytest.mark.slow
def test_a_status_that_is_blank_in_the_sample_excludes_the_lines_after_it(rfm: Rfm, tmp_path: Path) -> None:
    plain = "".join(f"c{n % 300},o{n},2024-01-{n % 28 + 1:02d},10,\n" for n in range(2100))
    late = "".join(f"c{n % 300},x{n},2024-02-01,10,cancelled\n" for n in range(50))
    (tmp_path / "late.csv").write_text(
        f"customer_id,order_id,date,total,status\n{plain}{late}", encoding="utf-8"
    )
    ended = rfm("run", tmp_path / "late.csv", "--json")
    assert ended.code == 0, ended.stderr
    assert ended.json["rows"]["excluded"] == {"not_a_sale": 50}
    assert any("blank in the first 2,000 lines" in note for note in ended.json["notes"])


def test_a_currency_after_lines_without_one_is_a_question(rfm: Rfm, tmp_path: Path) -> None:
    plain = "".join(f"c{n % 300},o{n},2024-01-{n % 28 + 1:02d},10,\n" for n in range(2100))
    (tmp_path / "late.csv").write_text(
        f"customer_id,order_id,date,total,currency\n{plain}c1,x1,2024-02-01,10,USD\n", encoding="utf-8"
    )
    asked = rfm("run", tmp_path / "late.csv")
    assert asked.code == 2
    assert "no currency 21,000.00 (2,100 lines), USD 10.00 (1 line)" in asked.stderr
    ended = rfm("run", tmp_path / "late.csv", "--currency", "USD", "--json")
    assert (ended.code, ended.json["revenue"]) == (0, "21010.00")


def test_refunds_after_lines_without_any_are_subtracted(rfm: Rfm, tmp_path: Path) -> None:
    plain = "".join(f"c{n % 300},o{n},2024-01-{n % 28 + 1:02d},10,\n" for n in range(2100))
    (tmp_path / "late.csv").write_text(
        f"customer_id,order_id,date,total,refunded_amount\n{plain}c1,x1,2024-02-01,10,4\n", encoding="utf-8"
    )
    ended = rfm("run", tmp_path / "late.csv", "--json")
    assert (ended.code, ended.json["revenue"]) == (0, "21006.00")
    assert (
        "`refunded_amount` is blank in the first 2,000 lines, and subtracted where it is filled"
        in (ended.json["notes"])
    )


@pytest.mark.slow
def test_unpaid_lines_count_and_the_note_says_how_to_leave_them_out(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(
        "customer_id,order_id,date,total,paid\n"
        "a,1,2024-01-05,10,yes\nb,2,2024-01-06,20,No\na,3,2024-01-07,40,no\nb,4,2024-01-08,80,yes\n",
        encoding="utf-8",
    )
    ended = rfm("run", tmp_path / "orders.csv", "--json")
    assert ended.json["revenue"] == "150.00"
    (note,) = [note for note in ended.json["notes"] if "`paid` is No on 2 lines, which count" in note]
    exclusion = shlex.split(note[note.index("--exclude") : note.index(" leaves")])
    followed = rfm("run", tmp_path / "orders.csv", *exclusion, "--json")
    assert (followed.code, followed.json["revenue"]) == (0, "90.00")
    assert followed.json["rows"]["excluded"] == {"unpaid": 2}
