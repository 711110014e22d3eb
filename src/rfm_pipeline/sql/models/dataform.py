"""The query as a Dataform action: a .sqlx file with its config, and the declaration of the source."""

from __future__ import annotations

import json
import re
from typing import Any

from rfm_pipeline.errors import UsageError
from rfm_pipeline.sql.dialects.bigquery import BigQuery
from rfm_pipeline.sql.models.model import MODEL_COLUMNS, Model, ModelFile, SourceName

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PARTS = re.compile(
    r"""(?P<comment>--[^\n]*|\#[^\n]*|/\*.*?\*/)"""
    r"""|(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)"""
    r"""|(?P<placeholder>\$\{)""",
    re.DOTALL,
)
_PLAIN = re.compile(r"`[\w .-]*`")
_WORD = re.compile(r"[A-Za-z0-9_ ]")
_PLACEHOLDER = '${"$"}{'


def dataform_files(model: Model) -> tuple[ModelFile, ...]:
    """Return the action, and the declaration of its source.

    Raises:
        UsageError: If the model's name is none that Dataform can use, or the rows of a date can't be replaced
            because the date is not known before the query.
    """
    if not _NAME.fullmatch(model.name):
        raise UsageError(
            f"'{model.name}' is no name of a Dataform action.",
            "give --name letters, digits and underscores; workflow_settings.yaml has the dataset.",
        )
    sql = f"{_config(model)}\n\n{_pre_operations(model)}{_sqlx(model.comment)}\n{_body(model)}\n"
    name = f"{model.table}.sqlx"
    if not (model.source and model.source.dataset):
        return (ModelFile(name, sql, sql),)
    file_name, declaration = _declaration(model.source)
    note = [f"{file_name}, which --output writes beside this file:", *declaration.splitlines()]
    listed = "\n".join(f"  // {line}" for line in note)
    return (
        ModelFile(name, sql, f"js {{\n{listed}\n}}\n\n{sql}"),
        ModelFile(file_name, f"{declaration}\n", f"{declaration}\n"),
    )


def _config(model: Model) -> str:
    segments = ", ".join(map(BigQuery().quoted_text, model.segments))
    scores = [f"{initial}_score BETWEEN 1 AND {bins}" for initial, bins in model.bins.items()]
    key = ["as_of_date", "customer_id"] if model.keeps_history else ["customer_id"]
    config: dict[str, Any] = {
        "type": "incremental" if model.keeps_history else "table",
        "name": model.table,
        "description": model.description,
        "columns": {name: column.description for name, column in MODEL_COLUMNS.items()},
        "bigquery": {
            **({"partitionBy": "as_of_date"} if model.keeps_history else {}),
            "clusterBy": list(model.cluster_by),
            "labels": dict(model.labels),
        },
        "assertions": {
            "uniqueKey": key,
            "nonNull": list(MODEL_COLUMNS),
            "rowConditions": [f"segment IN ({segments})", *scores],
        },
    }
    return f"config {json.dumps(config, indent=2, ensure_ascii=False)}"


def _pre_operations(model: Model) -> str:
    """Return the statement that makes room for the rows of the run's as-of date."""
    if not model.keeps_history:
        return ""
    if model.as_of is None:
        raise UsageError(
            "Dataform can't replace the rows of an as-of date that is not known before the query.",
            "give --as-of today.",
        )
    delete = f"DELETE FROM ${{self()}} WHERE as_of_date = {model.as_of}"
    return f"pre_operations {{\n  ${{when(incremental(), `{delete}`)}}\n}}\n\n"


def _body(model: Model) -> str:
    query = _sqlx(model.query)
    return query.replace(model.placeholder, _reference(model.source)) if model.source else query


def _reference(source: SourceName) -> str:
    return f"${{ref({', '.join(map(json.dumps, source.parts))})}}"


def _declaration(source: SourceName) -> tuple[str, str]:
    """Return the file name and the text of the declaration of a source."""
    config = {"type": "declaration", "schema": source.dataset, "name": source.table}
    if source.project:
        config = {"type": "declaration", "database": source.project, **config}
    name = re.sub(r"\W+", "_", f"{source.dataset}_{source.table}").strip("_")
    return f"{name}.sqlx", f"config {json.dumps(config, indent=2, ensure_ascii=False)}"


def _sqlx(text: str) -> str:
    r"""Return SQL that Dataform compiles to the same SQL.

    A `${` begins JavaScript, except in a comment. A backslash is taken literally, except in a comment: there
    it would be dropped, and at the end of the line take the next line into the comment. A name in backquotes
    is read as if the quotes were not there, so that an apostrophe in it begins a text.

    >>> print(_sqlx(r"SELECT '${x}' -- C:\x"))
    SELECT '${"$"}{x}' -- C:\\x
    """
    return _PARTS.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    if match["comment"]:
        return match[0].replace("\\", "\\\\")
    if match[0].startswith("`") and not _PLAIN.fullmatch(match[0]):
        return f"${{{_javascript(match[0])}}}"
    return match[0].replace("${", _PLACEHOLDER)


def _javascript(text: str) -> str:
    """Return a text of JavaScript in which only letters and digits of ASCII are not escaped."""
    units = text.encode("utf-16-be")
    codes = [int.from_bytes(units[place : place + 2], "big") for place in range(0, len(units), 2)]
    return '"' + "".join(chr(code) if _WORD.match(chr(code)) else f"\\u{code:04x}" for code in codes) + '"'
