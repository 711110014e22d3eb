"""Unknown settings and invalid values in flags, variables and rfm.toml are rejected."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.bad_input import Case, case, check
from support.cli import Rfm

RUN = "run orders.csv"

NAMES = [
    case("setting misspelt", RUN, "rfm.toml has `timezoen`", hints="did you mean `timezone`?",
         toml="timezoen = 'UTC'\n"),
    case("setting misspelt in a table", RUN, "rfm.toml has `scoring.bin`", hints="did you mean `bins`?",
         toml="[scoring]\nbin = 5\n"),
    case("setting misspelt two tables deep", RUN, "`scoring.recency.edge`", hints="did you mean `edges`?",
         toml="[scoring.recency]\nedge = [1]\n"),
    case("role misspelt", RUN, "`columns.customer`", hints="did you mean `customer_id`?",
         toml="[columns]\ncustomer = 'x'\n"),
    case("setting unlike any other", RUN, "`zzz`, which is no setting",
         hints="columns, currency, date_format",
         toml="zzz = 1\n"),
    case("setting misspelt in another file", f"{RUN} --config shop.toml", "shop.toml has `widow`",
         hints="did you mean `window`?", files={"shop.toml": "widow = '90d'\n"}),
    case("test of a column misspelt", RUN, "`exclude.tests.colunm`", hints="did you mean `column`?",
         toml="[exclude]\ntests = { colunm = 'amount', equals = '5' }\n"),
    case("rule misspelt", RUN, "`rr` in number 1 of `segments.rules`", hints="did you mean `r`?",
         toml="[[segments.rules]]\nsegment = 'A'\nrr = 1\n"),
    case("setting misspelt beside one of a wrong value", RUN, "`scoring.bin`", hints="did you mean `bins`?",
         toml="[scoring]\nbins = 1\nbin = 5\n"),
    case("variable misspelt", RUN, "RFM_TIMEZOEN", hints="did you mean RFM_TIMEZONE?",
         environment={"RFM_TIMEZOEN": "UTC"}),
    case("variable misspelt in its second part", RUN, "RFM_SCORING__BIN names no setting",
         hints="did you mean RFM_SCORING__BINS?", environment={"RFM_SCORING__BIN": "5"}),
    case("variable unlike any other", RUN, "RFM_XYZZY names no setting", hints="timezone, to, unit, window",
         environment={"RFM_XYZZY": "1"}),
    case("flag misspelt", f"{RUN} --as-off 2025-01-31", "--as-off", hints="rfm run --help"),
    case("flag without its value", f"{RUN} --as-of", "--as-of", hints="rfm"),
    case("command misspelt", "runn orders.csv", "'runn'", hints="rfm --help"),
    case("preset misspelt", f"{RUN} --preset gird", '"gird"', hints='did you mean "grid"?'),
    case("preset in a variable", RUN, '"nope"', hints="`rfm presets` lists them",
         environment={"RFM_PRESET": "nope"}),
    case("preset that is a path", f"{RUN} --preset ../config", '"../config"',
         hints="`rfm presets` lists them"),
    case("preset that is a number", RUN, "`preset` is 3", hints="rfm presets", toml="preset = 3\n"),
    case("dialect unknown", "sql orders.csv --dialect oracle", "'oracle'", hints="duckdb or bigquery"),
]  # fmt: skip

FILES = [
    case("configuration missing", f"{RUN} --config shop.toml", "shop.toml does not exist", hints="rfm init"),
    case("configuration in a variable missing", RUN, "shop.toml does not exist", hints="rfm init",
         environment={"RFM_CONFIG": "shop.toml"}),
    case("configuration that is a folder", f"{RUN} --config .", "is a directory", hints="--config"),
    case("configuration not in UTF-8", RUN, "rfm.toml", "not UTF-8", hints="UTF-8",
         files={"rfm.toml": b"# caf\xe9\n"}),
    case("text without quotes", RUN, "rfm.toml is not valid TOML", "line 1, column 10",
         hints='source = "orders.csv"', toml="source = orders.csv\n"),
    case("unclosed table", RUN, "rfm.toml is not valid TOML", "line 2", hints="quotes",
         toml="timezone = 'UTC'\n[scoring\n"),
    case("path with backslashes", RUN, "rfm.toml is not valid TOML", hints="backslashes",
         toml='source = "C:\\Users\\shop.csv"\n'),
    case("setting twice", RUN, "rfm.toml is not valid TOML", "line 2", hints="quotes",
         toml="decimal = '.'\ndecimal = ','\n"),
    case("configuration exists", "init", "rfm.toml exists already", hints="--force", toml="# mine\n"),
]  # fmt: skip

DATES = [
    case("as-of in words", f"{RUN} --as-of soon", "'soon' is not a date", hints="--as-of"),
    case("as-of with the day first", f"{RUN} --as-of 31/12/2025", "'31/12/2025'", "2025-12-31",
         hints="--as-of"),
    case("as-of without dashes", f"{RUN} --as-of 20251231", "'20251231'", "2025-12-31", hints="--as-of"),
    # Some libraries parse a number as seconds since 1970.
    case("as-of that is a number", f"{RUN} --as-of 86400", "'86400' is not a date", hints="--as-of"),
    case("as-of that is no real day", f"{RUN} --as-of 2025-02-30", "'2025-02-30' is no day", hints="--as-of"),
    case("as-of with a time", RUN, "'2025-12-31 12:00:00'", hints="`as_of` in rfm.toml",
         toml="as_of = 2025-12-31T12:00:00\n"),
    case("as-of in a variable", RUN, "'soon'", hints="RFM_AS_OF", environment={"RFM_AS_OF": "soon"}),
    case("since in words", f"{RUN} --since yesterday", "'yesterday' is not a date", hints="--since"),
    case("since after as-of", f"{RUN} --since 2025-06-01 --as-of 2025-01-01", "2025-06-01", "2025-01-01",
         hints="dates"),
    case("time zone misspelt", f"{RUN} --timezone Europe/Londn", "'Europe/Londn'", hints="Europe/London?"),
    case("time zone that is a path", f"{RUN} --timezone ../../etc/passwd", "'../../etc/passwd'",
         hints="timezone"),
    case("window in words", f"{RUN} --window 'a while'", "'a while'", "'24 months'", hints="--window"),
    case("window of zero days", f"{RUN} --window '0 days'", "'0 days'", hints="--window"),
    case("window without a unit", RUN, "'30'", "'24 months'", hints="`window` in rfm.toml",
         toml="window = 30\n"),
    case("window beyond history", f"{RUN} --window '99999 years'", "'99999 years'", "1,000 years",
         hints="--window"),
    case("date format of a spreadsheet", f"{RUN} --date-format dd/mm/yyyy", "'dd/mm/yyyy'",
         hints="--date-format"),
    case("date format without a year", f"{RUN} --date-format %d/%m", "'%d/%m'", "year",
         hints="--date-format"),
    case("date format with an unknown code", f"{RUN} --date-format '%d/%m/%Y %Q'", "%Q",
         hints="--date-format"),
]  # fmt: skip

VALUES = [
    case("too few bins", f"{RUN} --bins 1", "`scoring.bins` is 1", "at least 2", hints="--bins"),
    case("too many bins", f"{RUN} --bins 11", "`scoring.bins` is 11", "at most 10", hints="--bins"),
    case("bins in words", f"{RUN} --bins five", "--bins", hints="rfm run --help"),
    case("bins of 4.5", RUN, "`scoring.bins` is 4.5", "a whole number", hints="`scoring.bins` in rfm.toml",
         toml="[scoring]\nbins = 4.5\n"),
    case("bins in a variable", RUN, "`scoring.bins` is 'many'", hints="RFM_SCORING__BINS",
         environment={"RFM_SCORING__BINS": "many"}),
    # Some libraries convert true to 1.
    case("bins that are true", RUN, "`scoring.bins` is true", "a whole number", hints="`scoring.bins`",
         toml="[scoring]\nbins = true\n"),
    case("method unknown", f"{RUN} --method jenks", "'jenks'", "'quantile', 'fixed' or 'ntile'",
         hints="--method"),
    case("decimal mark unknown", f"{RUN} --decimal ';'", "`decimal` is ';'", "'.' or ','", hints="--decimal"),
    case("returns unknown", f"{RUN} --returns keep", "'keep'", "'exclude' or 'net'", hints="--returns"),
    case("memory without a unit", f"{RUN} --memory-limit 4", "'4'", "4GB", hints="--memory-limit"),
    case("zero memory", f"{RUN} --memory-limit 0GB", "'0GB'", hints="--memory-limit"),
    case("zero threads", f"{RUN} --threads 0", "`duckdb.threads` is 0", "at least 1", hints="--threads"),
    case("lock timeout in words", RUN, "`duckdb.lock_timeout` is 'soon'", "a number",
         hints="RFM_DUCKDB__LOCK_TIMEOUT", environment={"RFM_DUCKDB__LOCK_TIMEOUT": "soon"}),
    case("lock timeout too long", RUN, "`duckdb.lock_timeout` is 5000, and must be at most 3,600.",
         hints="`duckdb.lock_timeout` in rfm.toml", toml="[duckdb]\nlock_timeout = 5000\n"),
    case("temporary folder missing", RUN, "/no/such does not exist", hints="duckdb.temp_directory",
         toml="[duckdb]\ntemp_directory = '/no/such'\n"),
    case("temporary folder that is a file", RUN, "orders.csv is not a folder", hints="duckdb.temp_directory",
         toml="[duckdb]\ntemp_directory = 'orders.csv'\n"),
    case("text in place of a table", RUN, "`columns` is 'Account'", "a table", hints="`columns` in rfm.toml",
         toml="columns = 'Account'\n"),
    case("number in place of text", RUN, "`columns.customer_id` is 3", "text", hints="`columns.customer_id`",
         toml="[columns]\ncustomer_id = 3\n"),
    case("quote of two characters", RUN, "`read.quote`", "one character", hints="`read.quote` in rfm.toml",
         toml="[read]\nquote = '<>'\n"),
    case("variable that is not JSON", RUN, "RFM_SCORING is '{bins'", "JSON", hints="RFM_SCORING__NAME=VALUE",
         environment={"RFM_SCORING": "{bins"}),
    case("variable of a nested table that is not JSON", RUN, "RFM_SCORING__RECENCY is '{bins'", "JSON",
         hints="RFM_SCORING__RECENCY__NAME=VALUE", environment={"RFM_SCORING__RECENCY": "{bins"}),
    case("variable inside a text setting", RUN, "`timezone` is a table", "text", hints="RFM_TIMEZONE",
         environment={"RFM_TIMEZONE__CITY": "Paris"}),
]  # fmt: skip


def edges(dimension: str, numbers: str, more: str = "method = 'fixed'") -> str:
    return f"[scoring.{dimension}]\n{more}\nedges = {numbers}\n"


EDGES = [
    case("fixed without edges", f"{RUN} --method fixed", "`scoring.recency` has no edges", "take 3",
         hints="`[scoring.recency]` with `edges = [30, 90, 365]` below it"),
    case("fixed without edges, in three bins", f"{RUN} --method fixed --bins 3", "3 bins take 2",
         hints="`edges = [30, 90]`"),
    case("too few edges", RUN, "`scoring.recency` has 2 edges", "4 bins take 3", hints="rfm.toml",
         toml=edges("recency", "[30, 90]")),
    case("edges with quantile", RUN, "`scoring.recency` has edges", "not 'quantile'", hints="rfm.toml",
         toml=edges("recency", "[30, 90, 365]", "method = 'quantile'")),
    case("exclusive bound without edges", RUN, "`scoring.bound` is 'exclusive'", "no dimension has",
         hints="`scoring.method` to 'fixed'", toml="[scoring]\nbound = 'exclusive'\n"),
    case("unknown bound", RUN, "`scoring.bound` is 'upper'", "'inclusive' or 'exclusive'", hints="rfm.toml",
         toml="[scoring]\nbound = 'upper'\n"),
    case("edges that decrease", RUN, "must increase", "365, 90, 30", hints="rfm.toml",
         toml=edges("recency", "[365, 90, 30]")),
    case("edges that repeat", RUN, "must increase", "10, 10, 20", hints="rfm.toml",
         toml=edges("monetary", "[10, 10, 20]")),
    case("edges in words", RUN, "Number 2 of `scoring.monetary.edges` is 'high'", "a number",
         hints="rfm.toml", toml=edges("monetary", "[10, 'high', 30]")),
    case("edge that is NaN", RUN, "Number 3 of `scoring.monetary.edges` is nan", "a finite number",
         hints="rfm.toml", toml=edges("monetary", "[10, 20, nan]")),
    case("infinite edge", RUN, "Number 3 of `scoring.recency.edges` is inf", hints="rfm.toml",
         toml=edges("recency", "[10, 20, inf]")),
    case("edge that is a signalling NaN", RUN, "Number 1 of `scoring.recency.edges` is 'sNaN'",
         "a finite number", hints="`scoring.recency.edges`", toml=edges("recency", "['sNaN', 2, 3]")),
    case("fractional order", RUN, "`scoring.frequency` must be a whole number", "2.5", hints="rfm.toml",
         toml=edges("frequency", "[1, 2.5, 4]")),
    case("edge too large", RUN, "below 10^18", "1E+30", hints="rfm.toml",
         toml=edges("monetary", "[1, 2, 1e30]")),
    case("edge with too many decimals", RUN, "nine decimals", "3.0000000001", hints="rfm.toml",
         toml=edges("monetary", "['1', '2', '3.0000000001']")),
]  # fmt: skip

RULE = "[[segments.rules]]\nsegment = '{}'\n{}\n"
MAPS = [
    case("map for other bins", f"{RUN} --bins 5", '"classic"', "5 x 5 x 5", "511, 512",
         hints="--preset grid (for 5 bins there are grid, r-rfm and shopify)"),
    case("map for more bins", f"{RUN} --bins 3", "requires r = 4", hints="there is klaviyo"),
    case("bins without a preset", f"{RUN} --bins 7", "7 x 7 x 7", hints="add rules for these cells"),
    case("uncovered cells", RUN, "no rule covers 111, 112, 113, 114, 121, 122, 123, 124 and 40 more",
         hints="fallback", toml=RULE.format("Recent", "r = 4")),
    case("unreachable rule", RUN, "rule 2 (Gone) is never reached", "rule 1 (All)",
         hints="move a rule", toml=RULE.format("All", "r = '1-4'") + RULE.format("Gone", "f = 2")),
    case("unreachable fallback", RUN, 'the fallback "Others" is never reached', hints="delete",
         toml="[segments]\nfallback = 'Others'\n" + RULE.format("All", "r = '1-4'")),
    case("score above the bins", RUN, "rule 1 (Best) requires r = 5 (r ends at 4)", hints="lower the scores",
         toml="[segments]\nfallback = 'Others'\n" + RULE.format("Best", "r = 5")),
    case("range that ends before it starts", RUN, 'r = "4-2"', hints='write "2-4"',
         toml=RULE.format("A", "r = '4-2'")),
    case("score that is true", RUN, "`r` in number 1 of `segments.rules` is true", "a whole number or text",
         hints="`segments.rules` in rfm.toml", toml=RULE.format("A", "r = true")),
    case("rule without a segment", RUN, "`segment` in number 1 of `segments.rules` is missing",
         hints="rfm presets classic --toml", toml="[[segments.rules]]\nr = 4\n"),
    case("map without rules", RUN, "`segments.rules` is missing in rfm.toml",
         hints="rfm presets classic --toml", toml="[segments]\nname = 'mine'\n"),
    case("map with an empty list of rules", RUN, "`segments.rules` is []",
         hints="`segments.rules` in rfm.toml", toml="[segments]\nrules = []\n"),
]  # fmt: skip


@pytest.mark.parametrize("invalid", [*NAMES, *FILES, *DATES, *VALUES, *EDGES, *MAPS])
def test_an_invalid_setting_is_rejected_and_changes_nothing(
    invalid: Case, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(invalid, tmp_path, rfm, monkeypatch)


def test_a_configuration_with_a_byte_order_mark_is_read(tmp_path: Path, rfm: Rfm) -> None:
    (tmp_path / "rfm.toml").write_bytes(b"\xef\xbb\xbftimezone = 'Mars/Olympus'\n")
    assert "'Mars/Olympus'" in rfm("run", "orders.csv").stderr
