"""Text from outside reaches terminals, logs and chats without control characters, and never as markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rfm_pipeline.common.untrusted_text import replace_unprintable, replace_unprintable_in
from rfm_pipeline.config.notifications import WEBHOOK_VARIABLE
from support.chat_server import run_chat
from support.cli import Outcome, Rfm

# Clears the screen (C0 and C1), returns to the start, writes a line, reverses the direction, ends a line.
SEQUENCE = "[bold][link=http://a]\x1b[2J\x9b2K\rPublished\nPublished duckdb:x\u202eb\u2028Published\x7fz"
NO_BREAKS = SEQUENCE.replace("\n", "").replace("\r", "")
HEADER = "customer_id,order_id,order_date,amount,status\n"
LINES = "".join(f"c{n % 7},{n},2026-01-{n % 28 + 1:02d},{n}.50,paid\n" for n in range(1, 40))
SAFE = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]*")


def write(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8", newline="")


def in_value(rfm: Rfm) -> Outcome:
    write("a.csv", HEADER + LINES + f'c1,x,"{SEQUENCE}",5,paid\n')
    return rfm("run", "a.csv")


def in_status(rfm: Rfm) -> Outcome:
    write("a.csv", HEADER + LINES + f'c1,x,2026-01-05,5,"{SEQUENCE}"\n')
    return rfm("run", "a.csv")


def in_column(rfm: Rfm) -> Outcome:
    write("a.csv", f'"{NO_BREAKS}",order_id,order_date,amount,status\n{LINES}')
    return rfm("check", "a.csv", "--customer-id", NO_BREAKS)


def in_columns_of_an_error(rfm: Rfm) -> Outcome:
    write("a.csv", f'"{NO_BREAKS}",b,c\n1,2,3\n')
    return rfm("run", "a.csv")


def in_file(rfm: Rfm) -> Outcome:
    write(f"{SEQUENCE.replace('/', '')}.csv", HEADER + LINES)
    return rfm("run", f"{SEQUENCE.replace('/', '')}.csv")


def in_missing_file(rfm: Rfm) -> Outcome:
    return rfm("run", f"{SEQUENCE}.csv")


def in_destination(rfm: Rfm) -> Outcome:
    write("a.csv", HEADER + LINES)
    return rfm("run", "a.csv", "--to", f"duckdb:{SEQUENCE.replace('/', '')}.duckdb")


def in_output(rfm: Rfm) -> Outcome:
    write("a.csv", HEADER + LINES)
    return rfm("run", "a.csv", "-o", f"{SEQUENCE.replace('/', '')}.csv")


def in_setting(rfm: Rfm) -> Outcome:
    write("a.csv", HEADER + LINES)
    return rfm("run", "a.csv", "--timezone", SEQUENCE)


def in_option(rfm: Rfm) -> Outcome:
    return rfm("run", f"--{SEQUENCE.replace('=', '')}")


def in_segment(rfm: Rfm) -> Outcome:
    write("a.csv", HEADER + LINES)
    write(
        "rfm.toml", f"[segments]\nfallback = {json.dumps(SEQUENCE)}\n[[segments.rules]]\nsegment='T'\nr='4'\n"
    )
    return rfm("run", "a.csv")


def in_audit_rows(rfm: Rfm) -> Outcome:
    write("a.csv", HEADER + LINES)
    query = f"SELECT {', '.join(f'chr({ord(c)})' for c in SEQUENCE)} FROM segments".replace(
        ", chr", " || chr"
    )
    write("rfm.toml", f'[audits.queries]\nodd = {{ query = "{query}", level = "warn" }}\n')
    return rfm("run", "a.csv")


def in_error_of_the_engine(rfm: Rfm) -> Outcome:
    write("a.csv", HEADER + LINES)
    return rfm("run", "a.csv", "--exclude", f"x=CAST('{SEQUENCE}' AS INT) = 1")


def in_customer(rfm: Rfm) -> Outcome:
    write("a.csv", HEADER + LINES + f'"{SEQUENCE}",x,2026-01-05,5,paid\n')
    return rfm("explain", SEQUENCE, "a.csv")


def in_record(rfm: Rfm) -> Outcome:
    in_file(rfm)
    return rfm("runs", rfm("runs", "--json").json["runs"][0]["run_id"])


def in_query(rfm: Rfm) -> Outcome:
    in_column(rfm)
    return rfm("sql", "a.csv", "--customer-id", NO_BREAKS)


def in_json(rfm: Rfm) -> Outcome:
    in_file(rfm)
    return rfm("runs", "--json")


PLACES = [
    in_value, in_status, in_column, in_columns_of_an_error, in_file, in_missing_file, in_destination,
    in_output, in_setting, in_option, in_segment, in_audit_rows, in_error_of_the_engine, in_customer,
    in_record, in_query, in_json,
]  # fmt: skip


def assert_safe(text: str) -> None:
    assert SAFE.fullmatch(text), [*re.sub(SAFE, "", text)]


@pytest.mark.matrix
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_sequence_from_outside_reaches_no_terminal(
    place: Callable[[Rfm], Outcome], rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A terminal gets every value, and a query without control characters. Colours are control characters too.
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("rfm_pipeline.cli.render.audits.shows_customers", lambda: True)
    monkeypatch.setattr("rfm_pipeline.cli.streams.Stdout.isatty", lambda _: True, raising=False)
    ended = place(rfm)
    assert ended.code in {0, 2, 3, 4}, ended.stderr
    assert "[2J" in re.sub(r"\s", "", ended.stdout + ended.stderr)
    for text in (ended.stdout, ended.stderr):
        assert_safe(text)
        assert not re.search(r"^Published( duckdb:x.*)?$", text, re.MULTILINE)
    # Markup is shown as it is written.
    assert ended.stderr or "[bold][link" in re.sub(r"\s", "", ended.stdout)


@pytest.mark.matrix
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_sequence_from_outside_reaches_no_log_and_no_chat(
    place: Callable[[Rfm], Outcome], rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_LOG_FORMAT", "json")
    with run_chat() as chat:
        monkeypatch.setenv(WEBHOOK_VARIABLE, chat.address)
        ended = place(rfm)
    for line in ended.stderr.splitlines():
        event = json.loads(line)
        for value in event.values():
            assert_safe(str(value))
    for message in chat.messages:
        # An @ is followed by an invisible character on purpose.
        assert_safe(message.replace("@\u200b", "@"))


def test_printable_text_is_unchanged() -> None:
    for text in ("", "Zoë Ж中 🙂", "a b"):
        assert replace_unprintable(text) is text
    value = {"segments": ("Champions", 3), "notes": ["a"]}
    assert replace_unprintable_in(value) is value
