"""A model: the query with what the warehouse's own tools need to run, describe and test its rows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from msgspec import Struct, field

from rfm_pipeline.results.tables import RESULT_COLUMNS

NOT_IN_MODELS = ("previous_segment", "segment_since", "run_id")
"""Columns of the published result that come from the records of `rfm run`, and not from the lines."""
MODEL_COLUMNS = {name: column for name, column in RESULT_COLUMNS.items() if name not in NOT_IN_MODELS}
"""The columns of a model, in order."""
LABELS = {"created_by": "rfm-pipeline"}
"""Labels of the table that a model fills."""


class ModelFile(Struct, frozen=True):
    """A file of a model.

    Attributes:
        name: File name.
        text: Its text, as it is written into a folder.
        alone: The text of the first file where it is printed alone, with what other files would have as a
            comment; the text itself if there are no others.
    """

    name: str
    text: str
    alone: str


class SourceName(Struct, frozen=True):
    """Name of the table that a model reads.

    Attributes:
        parts: Project, dataset and table; without the project, or the table alone, as the tool knows it.
    """

    parts: tuple[str, ...]

    @property
    def dataset(self) -> str | None:
        """The dataset; None for a table that the tool knows by its name alone."""
        return self.parts[-2] if len(self.parts) > 1 else None

    @property
    def project(self) -> str | None:
        """The project; None for that of the tool."""
        return self.parts[0] if len(self.parts) > 2 else None

    @property
    def table(self) -> str:
        """The table."""
        return self.parts[-1]


class Model(Struct, frozen=True):
    """A query that a tool of the warehouse runs every day.

    Attributes:
        name: Name of the table, `dataset.table` or `project.dataset.table`.
        description: One sentence on the rows.
        comment: Lines of SQL comments with the rules of the query.
        query: SELECT with its CTEs, over `relation`.
        source: The table that the query reads; None if the query names its tables itself.
        segments: Names of the segments that a customer can have.
        bins: Number of scores per dimension, by the initial of its name.
        keeps_history: Whether the table keeps the rows of each as-of date, or those of the newest run only.
        as_of: SQL of the as-of date; None if it is the date of the newest order.
        labels: Labels of the table.
        placeholder: What `query` has in place of the source's name. It is random, so that no text of the user
            contains it.
    """

    name: str
    description: str
    comment: str
    query: str
    source: SourceName | None
    segments: tuple[str, ...]
    bins: Mapping[str, int]
    as_of: str | None
    keeps_history: bool = False
    labels: Mapping[str, str] = field(default_factory=lambda: dict(LABELS))
    placeholder: str = ""

    @property
    def table(self) -> str:
        """Name of the table without its dataset."""
        return self.name.rpartition(".")[2]

    @property
    def cluster_by(self) -> tuple[str, ...]:
        """The columns that the table is clustered by, as the published result is."""
        return ("segment",)


def new_placeholder() -> str:
    """Return a name that occurs in no text of a user."""
    return f"rfm_source_{secrets.token_hex(16)}"
