"""What the name of a column means: the role it is known for, by the vocabulary `column_names.toml`.

Names are compared without case, spaces, punctuation and accents: `N° de commande` is `n_de_commande`. A
currency, a time zone or a note on tax beside a known name is ignored: `Order Total (inc. tax)`, `total_usd`,
`Created at (UTC)`; so is the name of a table before a point: `orders.created_at`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache

from msgspec import Struct

from rfm_pipeline.config import vocabulary
from rfm_pipeline.config.column_mapping import ROLES

# Letters that Unicode does not decompose.
_LETTERS = {"ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d"}
_NO_NAME_CHARACTERS = re.compile(r"[\W_]+")
_PUNCTUATION = bytes(code for code in range(128) if not chr(code).isalnum() and chr(code) != ",")
_BRACKETS = re.compile(r"\s*[(\[{][^)\]}]*[)\]}]?")
_TABLE = re.compile(r"(?:\w+\.)+(?=[^\s.])")
# Some of these expressions take quadratic time.
_LONGEST_NAME = 256
_TABLE_PREFIX = re.compile(r"(?:[a-z]|dim|fact|fct|fk|pk)_(?=\w{3})", re.IGNORECASE)
_CURRENCIES = (
    "usd", "eur", "gbp", "chf", "cad", "aud", "nzd", "sek", "nok", "dkk", "pln", "czk", "huf", "ron",
    "brl", "mxn", "ars", "clp", "cop", "inr", "jpy", "cny", "krw", "zar", "try", "aed", "sgd", "hkd",
    "ils", "thb", "idr", "myr", "euro", "euros", "dollar", "dollars", "pounds", "zl", "pence",
)  # fmt: skip
_QUALIFIERS = (
    *_CURRENCIES, *(f"in{currency}" for currency in _CURRENCIES), "cents", "incents", "minorunits",
    "minor", "utc", "gmt", "cet", "local", "inctax", "incltax", "includingtax", "extax", "excltax",
    "excludingtax", "withtax", "withouttax", "inclvat", "exclvat", "incvat", "exvat", "includingvat",
    "excludingvat", "beforetax", "aftertax", "beforediscount", "afterdiscount", "inklmwst", "exklmwst",
    "zzglmwst", "inklust", "ttc", "ht", "netto", "brutto", "iva", "conivaincluido", "siniva", "coniva",
    "withvat", "withoutvat", "excvat", "inctaxes", "exgst", "excgst", "exclgst", "incgst",
    "inclgst", "excludinggst", "includinggst",
    "inclbtw", "exclbtw", "ivaincluido", "ivainclusa", "ivaesclusa", "net", "gross", "base", "shopmoney",
    "formatted",
)  # fmt: skip


class Meaning(Struct, frozen=True):
    """What a name means.

    Attributes:
        role: The role, such as `customer_id`, or what is never the amount, such as `cost`.
        kind: Kind of the names of one role: `id`, `email`, `name`; empty if the role has one kind.
        rank: 0 for the most specific names of the role.
    """

    role: str
    kind: str
    rank: int


@lru_cache(maxsize=4096)
def meaning_of(name: str) -> Meaning | None:
    """Return what a column name means; None if the vocabulary has no such name.

    >>> meaning = meaning_of("Total (EUR)")
    >>> (meaning.role, meaning.kind) if meaning else None
    ('amount', 'amount')
    >>> meaning_of("colour") is None
    True
    """
    if len(name) > _LONGEST_NAME:
        return None
    meanings = _meanings()
    return next((meanings[form] for form in _forms(name) if form in meanings), None)


def role_of_name(name: str) -> str | None:
    """Return the role that a column name is known for: `order_id` for `Invoice No`; None if unknown."""
    meaning = meaning_of(name)
    if meaning is None or meaning.role not in {*ROLES, "price"}:
        return None
    return "unit_price" if meaning.role == "price" else meaning.role


def fold_name(name: str) -> str:
    """Return a column name for comparison: letters and digits only, without case and accents.

    >>> fold_name("N° de commande"), fold_name("Wartość")
    ('ndecommande', 'wartosc')
    """
    return _NO_NAME_CHARACTERS.sub("", _folded(name))


def _forms(name: str) -> Iterator[str]:
    """Yield the forms under which a name is looked up, the whole name first."""
    whole = fold_name(name)
    yield whole
    short = _BRACKETS.sub(" ", name)
    shorter = {short, _TABLE.sub("", short, count=1), _TABLE_PREFIX.sub("", short, count=1)}
    forms = [fold_name(text) for text in (short, *sorted(shorter - {name, short}))]
    yield from forms
    for form in dict.fromkeys((whole, *forms)):
        rest = form
        while rest.endswith(_QUALIFIERS):
            qualifier = max((each for each in _QUALIFIERS if rest.endswith(each)), key=len)
            rest = rest.removesuffix(qualifier)
            yield rest


@cache
def _meanings() -> Mapping[str, Meaning]:
    meanings: dict[str, Meaning] = {}
    for role, groups in vocabulary.load("column_names").items():
        rank = -1
        for group in groups:
            rank = group.get("rank", rank + 1)
            meaning = Meaning(role, group.get("kind", ""), rank)
            words = ",".join(words for key, words in group.items() if key not in {"kind", "rank"})
            # All names are in Latin letters: what is no ASCII after folding is an accent.
            folded = _folded(words).encode("ascii", "ignore").translate(None, _PUNCTUATION).decode()
            meanings.update(dict.fromkeys(folded.split(","), meaning))
    return meanings


def _folded(text: str) -> str:
    text = text.casefold()
    if text.isascii():
        return text
    # `str.translate` takes forty times as long on the whole vocabulary.
    for letter, plain in _LETTERS.items():
        text = text.replace(letter, plain)
    return unicodedata.normalize("NFKD", text)
