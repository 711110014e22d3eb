"""Values of customers are planted everywhere; what leaves the machine or stays on disk must not contain them.

Allowed are the result itself, its kept rejected rows and the files that are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rfm_pipeline.config.notifications import WEBHOOK_VARIABLE
from support.chat_server import Chat, run_chat
from support.cli import Outcome, Rfm
from support.databases import database

# Parts of the planted values by where they are.
ADDRESS, LOCAL_ADDRESS, NAME, CUSTOMER = (
    "zq.address@planted.example",
    "zqlocal@localhost",
    "Zqname",
    "ZQ-9001",
)
PLANTED = ("zq.address", "zqlocal", "zqname", "zq-9001")
HEADER = "order_id,customer_id,order_date,amount,status\n"
LINES = "".join(f"{n},c{n % 7},2026-01-{n % 28 + 1:02d},{n}.50,paid\n" for n in range(1, 40))
SOURCES = {
    "ids": HEADER + LINES + f"90,{CUSTOMER},2026-01-05,900.00,paid\n91,{ADDRESS},2026-01-05,950.00,paid\n",
    "display names": HEADER + LINES + f"90,Jane {NAME},2026-01-05,900.00,paid\n",
    "an address in the amount": HEADER + LINES + f"90,c1,2026-01-05,{LOCAL_ADDRESS},paid\n",
    "an address in the date": HEADER + LINES + f"90,c1,mailto:{ADDRESS},5.00,paid\n",
    "an address in the status": HEADER + LINES + f"90,c1,2026-01-05,5.00,Jo <{ADDRESS}>\n",
    "an address in the order": HEADER + LINES + f"{LOCAL_ADDRESS},c1,2026-01-05,5.00,paid\n",
    "ids in scientific notation": HEADER + LINES + "90,9.00123E+12,2026-01-05,5.00,paid\n",
    "no header": f"1,{ADDRESS},2026-01-05,10.00\n2,Jane {NAME},2026-01-06,20.00\n3,x,2026-01-07,3\n",
    "no header, a name first": f"Jane {NAME},1,2026-01-05,10.00\nJoe {NAME},2,2026-01-06,20.00\n",
    "a title": f"Orders of {ADDRESS}\n{HEADER}{LINES}",
    "nothing that can be read": HEADER + f"1,{CUSTOMER},{ADDRESS},{LOCAL_ADDRESS},paid\n" * 20,
}  # fmt: skip
AUDITS = f"""\
[audits]
max_age = {{ level = "warn", limit = "3 days" }}
[audits.queries.spenders]
query = "SELECT customer_id AS segment, upper(customer_id) AS other FROM segments ORDER BY monetary DESC"
level = "LEVEL"
[audits.queries.named]
query = "SELECT customer_id, 'Jane {NAME}' AS friend, {{0: '{ADDRESS}'}} AS more FROM segments"
level = "warn"
"""


@pytest.fixture
def chat(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    with run_chat() as running:
        monkeypatch.setenv(WEBHOOK_VARIABLE, running.address)
        yield running


def write(name: str, level: str) -> None:
    Path("orders.csv").write_text(SOURCES[name], encoding="utf-8")
    audits = AUDITS.replace("LEVEL", level).replace("{0: ", "{'a': ")
    Path("rfm.toml").write_text(f"[notify]\non = 'always'\n{audits}", encoding="utf-8")


def assert_masked(**texts: str) -> None:
    for place, text in texts.items():
        found = [planted for planted in PLANTED if planted in text.casefold()]
        assert not found, (place, text)


def records_of(folder: Path) -> str:
    """Return every value of the tables but those of the result and the history."""
    file = folder / "rfm.duckdb"
    if not file.exists():
        return ""
    with database(file) as connection:
        return str(connection.execute("FROM rfm_segments_runs").fetchall())


def printed(ended: Outcome) -> dict[str, str]:
    return {"stdout": ended.stdout, "stderr": ended.stderr}


@pytest.mark.matrix
@pytest.mark.parametrize("level", ["warn", "block"])
@pytest.mark.parametrize("name", SOURCES)
def test_values_of_customers_are_masked_wherever_a_run_writes(
    name: str, level: str, rfm: Rfm, chat: Chat, tmp_path: Path
) -> None:
    write(name, level)
    assert_masked(**printed(rfm("run", "orders.csv")))
    assert_masked(**printed(rfm("run", "orders.csv", "--json", "--log-format", "json")))
    assert_masked(**printed(rfm("check", "orders.csv", "--json")))
    assert_masked(records=records_of(tmp_path), chat="\n".join(chat.messages))
    assert len(chat.messages) == 2


def test_names_of_columns_that_are_a_line_of_values_are_not_listed(rfm: Rfm) -> None:
    write("no header, a name first", "warn")
    ended = rfm("run", "orders.csv", "--customer-id", "customer")
    assert ended.code == 2
    assert_masked(**printed(ended))


@pytest.mark.slow
def test_later_commands_mask_values_of_customers(rfm: Rfm, tmp_path: Path) -> None:
    write("ids", "warn")
    assert rfm("run", "orders.csv", "--quiet").code == 0
    for command in (
        ["runs"], ["runs", "--json"], ["transitions"], ["movers"], ["movers", "--json"],
        ["export", "-o", "all.csv"], ["report", "--json"],
        ["explain", "ZQ-900", "orders.csv"], ["sql", "orders.csv"], ["init", "orders.csv", "-c", "new.toml"],
    ):  # fmt: skip
        ended = rfm(*command)
        assert_masked(**printed(ended if command[0] != "explain" else replace_typed(ended, "ZQ-900'")))
    # The report lists ids of the shop's own, which its settings can turn off; addresses are masked.
    assert "zq.address" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert rfm("report", "--top-customers", "0", "-o", "plain.html", "--quiet").code == 0
    assert_masked(report=(tmp_path / "plain.html").read_text(encoding="utf-8"))
    assert_masked(settings=(tmp_path / "new.toml").read_text(encoding="utf-8"))


def replace_typed(ended: Outcome, typed: str) -> Outcome:
    """Return the outcome without the id that the user typed."""
    return Outcome(ended.code, ended.stdout, ended.stderr.replace(typed, ""))


def test_a_terminal_shows_the_customers_of_an_audit(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    write("ids", "warn")
    monkeypatch.setattr("rfm_pipeline.cli.render.audits.shows_customers", lambda: True)
    assert CUSTOMER in rfm("run", "orders.csv").stdout


def test_names_of_files_and_of_columns_and_settings_are_masked_if_they_are_addresses(
    rfm: Rfm, chat: Chat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path(f"{ADDRESS}.csv").write_text(HEADER + LINES, encoding="utf-8")
    monkeypatch.setenv("RFM_EXCLUDE", json.dumps({ADDRESS: f"status = '{ADDRESS}'"}))
    ended = rfm("run", f"{ADDRESS}.csv", "--json", "--log-format", "json")
    assert_masked(stderr=ended.stderr, chat="\n".join(chat.messages))
    monkeypatch.delenv("RFM_EXCLUDE")
    ended = rfm("run", f"{ADDRESS}.csv", "--amount", LOCAL_ADDRESS)
    assert_masked(**printed(ended), chat="\n".join(chat.messages))
