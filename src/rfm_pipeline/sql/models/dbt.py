"""The query as a dbt model: a .sql file with its config, and a .yml file with the source and the tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from rfm_pipeline.errors import UsageError
from rfm_pipeline.sql.dialects.bigquery import BigQuery
from rfm_pipeline.sql.models.model import MODEL_COLUMNS, Model, ModelFile, SourceName

_OPENING = re.compile(r"\{(?=[{%#])")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def dbt_files(model: Model) -> tuple[ModelFile, ...]:
    """Return the model and its properties.

    Raises:
        UsageError: If the model's name is none that dbt can use, or a segment has a name that dbt would
            evaluate.
    """
    if not _NAME.fullmatch(model.name):
        raise UsageError(
            f"'{model.name}' is no name of a dbt model.",
            "give --name letters, digits and underscores; the target of dbt has the project and the dataset.",
        )
    for segment in model.segments:
        if _OPENING.search(segment):
            raise UsageError(
                f"dbt would evaluate the name of the segment '{segment}'.", "rename the segment."
            )
    sql = f"{_config(model)}\n{_jinja(model.comment)}\n{_body(model)}\n"
    properties = "\n".join(_properties(model)) + "\n"
    note = f"{{#\n{model.table}.yml, which --output writes beside this file:\n\n{properties}#}}\n"
    if "#}" in properties:
        # The comment would end early.
        note = f"{{# --output also writes {model.table}.yml, with the source and the tests. #}}\n"
    return (
        ModelFile(f"{model.table}.sql", sql, f"{note}{sql}"),
        ModelFile(f"{model.table}.yml", properties, properties),
    )


def _config(model: Model) -> str:
    options = ["materialized='table'"]
    if model.keeps_history:
        options = [
            "materialized='incremental'",
            "incremental_strategy='insert_overwrite'",
            "partition_by={'field': 'as_of_date', 'data_type': 'date'}",
        ]
    options.append(f"cluster_by={_list(model.cluster_by)}")
    options.append("persist_docs={'relation': true, 'columns': true}")
    labels = ", ".join(f"{_text(name)}: {_text(value)}" for name, value in model.labels.items())
    options.append(f"labels={{{labels}}}")
    return "{{ config(\n  " + ",\n  ".join(options) + "\n) }}"


def _body(model: Model) -> str:
    query = _jinja(model.query)
    return query.replace(model.placeholder, _reference(model.source)) if model.source else query


def _reference(source: SourceName) -> str:
    if source.dataset is None:
        return f"{{{{ ref({_text(source.table)}) }}}}"
    return f"{{{{ source({_text(source.dataset)}, {_text(_source_name(source))}) }}}}"


def _source_name(source: SourceName) -> str:
    """Return the name of a source's table in dbt: `events` for the tables `events_*`."""
    return re.sub(r"\W+", "_", source.table).strip("_") or "lines"


def _properties(model: Model) -> Iterator[str]:
    """Yield the lines of the YAML file. JSON texts are texts of YAML."""
    yield "# Source, descriptions and tests of the model; printed by rfm sql."
    yield "version: 2"
    if model.source and model.source.dataset:
        yield from _source_properties(model.source, model.source.dataset)
    yield ""
    yield "models:"
    yield f"  - name: {model.table}"
    yield f"    description: {_yaml(model.description)}"
    if model.keeps_history:
        yield "    data_tests:"
        yield "      - unique:"
        yield f"          name: unique_{model.table}_customer_per_as_of_date"
        yield "          arguments:"
        yield "            column_name: \"CONCAT(CAST(as_of_date AS STRING), ' ', customer_id)\""
    yield "    columns:"
    scores = {f"{initial}_score": bins for initial, bins in model.bins.items()}
    for name, column in MODEL_COLUMNS.items():
        yield f"      - name: {name}"
        yield f"        description: {_yaml(column.description)}"
        yield "        data_tests:"
        yield "          - not_null"
        if name == "customer_id" and not model.keeps_history:
            yield "          - unique"
        if name == "segment":
            yield from _accepted(_escaped(segment) for segment in model.segments)
        elif name in scores:
            yield from _accepted(range(1, scores[name] + 1))


def _source_properties(source: SourceName, dataset: str) -> Iterator[str]:
    name = _source_name(source)
    yield ""
    yield "# Leave this out if the project has the source already."
    yield "sources:"
    yield f"  - name: {_yaml(dataset)}"
    if source.project:
        yield f"    database: {_yaml(source.project)}"
    yield f"    schema: {_yaml(dataset)}"
    yield "    tables:"
    yield f"      - name: {_yaml(name)}"
    yield '        description: "Transaction lines."'
    if name != source.table:
        yield f"        identifier: {_yaml(source.table)}"


def _accepted(values: Iterator[str] | range) -> Iterator[str]:
    yield "          - accepted_values:"
    yield "              arguments:"
    yield f"                values: {json.dumps(list(values), ensure_ascii=False)}"
    if isinstance(values, range):
        yield "                quote: false"


def _escaped(segment: str) -> str:
    """Return a name for `accepted_values`, which puts quotes around it but escapes nothing in it."""
    return BigQuery().quoted_text(segment)[1:-1]


def _jinja(text: str) -> str:
    """Return text that dbt renders as it is.

    >>> print(_jinja("'{{ price }}'"))
    '{{ '{' }}{ price }}'
    """
    return _OPENING.sub("{{ '{' }}", text)


def _yaml(text: str) -> str:
    return json.dumps(_jinja(text), ensure_ascii=False)


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _list(names: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_text, names))}]"
