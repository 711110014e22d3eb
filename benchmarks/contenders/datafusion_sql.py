# /// script
# requires-python = ">=3.11"
# dependencies = ["datafusion==55.0.0"]
# ///
"""The usual query, `usual.sql`, in DataFusion: `datafusion_sql.py SOURCE.parquet RESULT.parquet`."""

from __future__ import annotations

import sys
from pathlib import Path

from datafusion import SessionConfig, SessionContext

QUERY = Path(__file__).with_name("usual.sql")
# DataFusion changes unquoted column names to lower case by default, and then does not find them.
KEEP_CASE = ("datafusion.sql_parser.enable_ident_normalization", "false")


def run(source: str, result: str) -> None:
    """Write the customers of `source`, scored and segmented, to `result`."""
    context = SessionContext(SessionConfig().set(*KEEP_CASE))
    context.register_parquet("source", source)
    context.sql(QUERY.read_text(encoding="utf-8")).write_parquet(result)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
