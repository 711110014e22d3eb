"""A dataset in the BigQuery emulator, with a client that bypasses the proxy."""

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
# The lines of `support.orders.ORDERS` as a table; dates are text, because one of them is invalid.
ORDER_LINES = """\
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
    """A dataset of one test.

    Attributes:
        address: Address of the emulator.
        dataset: Name of the dataset.
    """

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

    def create_table(self, table: str = "orders", select: str = ORDER_LINES) -> str:
        """Create a table from a SELECT; return its SOURCE argument."""
        self.execute(f"CREATE OR REPLACE TABLE {self.name(table)} AS {select}")
        return self.source(table)

    def load_table(self, table: str, columns: Mapping[str, str], file: Path) -> str:
        """Create a table from a Parquet file; return its SOURCE argument.

        Args:
            table: Name of the table.
            columns: BigQuery type of each column.
            file: The Parquet file.
        """
        schema = [bigquery.SchemaField(name, kind) for name, kind in columns.items()]
        self.client.create_table(bigquery.Table(f"{PROJECT}.{self.dataset}.{table}", schema))
        config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
        with file.open("rb") as lines:
            self.client.load_table_from_file(
                lines, f"{PROJECT}.{self.dataset}.{table}", job_config=config
            ).result()
        return self.source(table)

    def published_rows(self, table: str = "rfm_segments") -> list[tuple[Any, ...]]:
        """Return the rows of a published table, ordered by customer; check its columns."""
        rows = self.execute(f"SELECT * FROM {self.name(table)}")
        assert all(list(row) == list(TABLE) for row in rows)
        return sorted(tuple(row.values()) for row in rows)

    def published_without_run_id(self, table: str = "rfm_segments") -> list[tuple[Any, ...]]:
        return [row[:-1] for row in self.published_rows(table)]

    def tables(self) -> list[str]:
        return sorted(table.table_id for table in self.client.list_tables(self.dataset))

    def close(self) -> None:
        self.client.delete_dataset(self.dataset, delete_contents=True, not_found_ok=True)
        self.client.close()  # type: ignore[no-untyped-call]
