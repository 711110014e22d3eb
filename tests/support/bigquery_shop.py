"""What the tests of BigQuery share: a dataset, its tables, and a client that goes past the proxy."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from support.orders import TABLE

PROJECT = "shop-project"
# The lines of `by_hand.ORDERS` as a table has them: text where the file has what can't be read.
LINES = """\
SELECT '007' AS customer_id, 'A1' AS order_id, '2024-01-10' AS order_date, 2 AS quantity,
  NUMERIC '10.00' AS unit_price, 'DE' AS country
UNION ALL SELECT '007', 'A1', '2024-01-10', 1, NUMERIC '5.50', 'DE'
UNION ALL SELECT '007', 'A2', '2024-03-01', 1, NUMERIC '100', 'DE'
UNION ALL SELECT 'ann', 'B1', '2024-02-01', 3, NUMERIC '0.3333', 'FR'
UNION ALL SELECT 'bob', 'C1', '2023-12-31', 1, NUMERIC '20', 'FR'
UNION ALL SELECT 'bob', 'C2', '2024-02-20', 4, NUMERIC '2.5', 'FR'
UNION ALL SELECT 'bob', 'C3', '2024-02-25', -1, NUMERIC '2.5', 'FR'
UNION ALL SELECT NULL, 'D1', '2024-02-26', 1, NUMERIC '9', 'FR'
UNION ALL SELECT 'cyd', 'E1', '2024-02-30', 1, NUMERIC '9', 'FR'
UNION ALL SELECT 'cyd', 'E2', '2024-02-29', 1, NUMERIC '0', 'FR'
UNION ALL SELECT 'cyd', 'E3', '2024-02-28', 1, NUMERIC '7', 'FR'"""


@dataclass
class Shop:
    """A dataset of its own."""

    address: str
    dataset: str = field(default_factory=lambda: f"sales_{secrets.token_hex(4)}")

    def __post_init__(self) -> None:
        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
        self.client = bigquery.Client(
            project=PROJECT, credentials=anonymous, client_options={"api_endpoint": self.address}
        )
        self.client.create_dataset(f"{PROJECT}.{self.dataset}")

    @property
    def destination(self) -> str:
        return f"bigquery://{PROJECT}.{self.dataset}"

    def source(self, table: str = "orders") -> str:
        return f"{self.destination}.{table}"

    def name(self, table: str) -> str:
        return f"`{PROJECT}`.`{self.dataset}`.`{table}`"

    def execute(self, sql: str) -> list[dict[str, Any]]:
        job = self.client.query(sql, job_retry=None)
        return [dict(row.items()) for row in job.result()]

    def make(self, table: str = "orders", select: str = LINES) -> str:
        """A table with the rows of a SELECT; gives the SOURCE that names it."""
        self.execute(f"CREATE OR REPLACE TABLE {self.name(table)} AS {select}")
        return self.source(table)

    def load(self, table: str, columns: Mapping[str, str], file: Path) -> str:
        """A table with the rows of a Parquet file."""
        schema = [bigquery.SchemaField(name, kind) for name, kind in columns.items()]
        self.client.create_table(bigquery.Table(f"{PROJECT}.{self.dataset}.{table}", schema))
        config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
        with file.open("rb") as lines:
            self.client.load_table_from_file(
                lines, f"{PROJECT}.{self.dataset}.{table}", job_config=config
            ).result()
        return self.source(table)

    def published(self, table: str = "rfm_segments") -> list[tuple[Any, ...]]:
        """The rows of a result by customer, with the columns of the design."""
        rows = self.execute(f"SELECT * FROM {self.name(table)}")
        assert all(list(row) == list(TABLE) for row in rows)
        return sorted(tuple(row.values()) for row in rows)

    def without_run_id(self, table: str = "rfm_segments") -> list[tuple[Any, ...]]:
        return [row[:-1] for row in self.published(table)]

    def tables(self) -> list[str]:
        return sorted(found.table_id for found in self.client.list_tables(self.dataset))

    def close(self) -> None:
        self.client.delete_dataset(self.dataset, delete_contents=True, not_found_ok=True)
        self.client.close()  # type: ignore[no-untyped-call]
