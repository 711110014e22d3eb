"""Text that is hard to quote, to parse or to print, and other values that the grammars of inputs share."""

from __future__ import annotations

from hypothesis import strategies as st

AWKWARD = (
    "", " ", "  x ", "0", "-1", "1e999", "nan", "NULL", "None", "true", "a,b", "x;y", "a\tb", "a\nb",
    "a\r\nb", '"', "'",
    '"quoted"', "it's", "''", "`", "a`b", "\\", "\\N", "C:\\shop\\x", "$1", "${HOME}", "$(id)", "%s",
    "%(x)s", "%%", "{}", "{0}",
    "{x!r}", "[red]x[/red]", "[bold]", "<b>&amp;</b>", "=1+1", "@SUM(A1)", "+1", "-", "--", "-- x", "/* x",
    "*/", "; DROP TABLE x",
    "' OR 1=1 --", "select", "*", "?", "#", "#x", "Zoë", "é" * 70, "Ж中文", "ΝΊΚΟΣ", "İstanbul", "ß",
    "\uff46\uff55\uff4c\uff4c",
    "😀", "👩‍👩‍👧", "e\u0301", "\u202eabc",
    "\u200b", "\ufeff", "\xa0", "\u2028", "\x00", "\x01", "\x07", "\x1b[2J", "\x1b]0;x\x07", "\x7f", "\x85",
    "\x9b31m", "x" * 300, "9" * 40,
    "1" * 25 + ".5", "p0@example.com", "Jo <p0@example.com>", "mailto:p0@example.com", "../x", "/", ".",
    "..", "~", "a/b", "nul", "CON",
    "https://example.com/a.csv", "s3://shop/a", "file:///x", "md:x", ":memory:", "\ud800", "\udcff",
)  # fmt: skip
"""Texts; the last two have no UTF-8 form."""

awkward = st.sampled_from(AWKWARD)
encodable = st.sampled_from(AWKWARD[:-2])
"""Texts that have a UTF-8 form."""
argument = st.sampled_from([text for text in AWKWARD[:-2] if "\0" not in text])
"""Texts that can be an argument or the value of a variable."""
numbers = st.one_of(
    st.integers(-5, 400).map(str),
    st.sampled_from(
        ("1.5", "1,5", "1.234,50", "1,234.50", "1'234", "1 234,5", "$5", "5 EUR", "€ 5,00", "(3.20)", "3-",
        "−3", "1e3", "0x1f", ".5", "5.",
         "1.2.3", "1_000", "٣", "1/2", "50%", "5k", "0.00000000001", "123456789012.123456789", "1e18", "-0",
         "+7")
    ),
)  # fmt: skip
dates = st.one_of(
    st.dates().map(str),
    st.integers(0, 400).map(lambda day: f"2024-{day % 12 + 1:02}-{day % 28 + 1:02}"),
    st.sampled_from(
        ("03/04/2024", "13/04/2024", "04/13/2024", "1.2.24", "2024-02-30", "2024-01-01T10:00:00Z",
        "2024-01-01 10:00:00.123456+05:30",
         "20240101", "1704067200", "1704067200000", "45292", "45292.5", "Jan 3, 2024", "3 janv. 2024",
         "2024年1月3日", "12:30", "24:00", "today",
         "9999-12-31", "0001-01-01", "10000-01-01", "infinity", "0000-00-00", "2024-W01-1", "2024-001",
         "01/02/03", "1/1/70 12:00 AM")
    ),
)  # fmt: skip
