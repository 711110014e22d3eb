"""Statuses: what their words mean, and which columns have those of an order or a payment."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Literal

from msgspec import Struct, field

from rfm_pipeline.config.sale_rules import status_text
from rfm_pipeline.config.sales import StatusSettings
from rfm_pipeline.config.vocabulary import load

_NAME_PARTS = re.compile(r"[A-Z]?[^\W\dA-Z_]+|[A-Z]+(?![^\W\dA-Z_])|\d+")
# What follows the status itself: `Shipped - Delivered to Buyer`, `Cancelled (stock)`, `cancelled by seller`.
_DETAIL = re.compile(r"\s[–-]\s|\s?[(:;,/]|\s(?:by|durch|par|por|da|door|przez)\s")
# What the status is of: `Order Cancelled`, `Zahlung fehlgeschlagen`.
_SUBJECT = re.compile(
    r"^(?:order|payment|transaction|bestellung|zahlung|commande|paiement|pedido|pago|ordine|pagamento|bestelling"
    r"|betaling|zamówienie|płatność)[\s_-]+",
    re.IGNORECASE,
)
_WOOCOMMERCE = re.compile(r"^wc[-_]", re.IGNORECASE)
_SHOWN_PREFIX = "wc "

NameKind = Literal["order", "plain", "weak", "other"]
"""Kind of a status column's name.

`order`: an order's or a payment's. `plain`: a status of nothing in particular. `weak`: the same, but the name
may mean something else, such as a region. `other`: that of a delivery, a customer, an e-mail, ...
"""


class Meaning(StrEnum):
    """What a status means; the values are the tables of the vocabulary."""

    NO_SALE = "no_sale"
    REFUNDED = "refunded"
    PARTLY_REFUNDED = "partly_refunded"
    SALE = "sale"
    PENDING = "pending"


class StatusWords(Struct, frozen=True):
    """The known statuses, with those of the settings.

    Attributes:
        own: Meanings of the statuses in the settings, by `fold`.
        no_sale: The statuses of the settings that are no sale, as they are written there.
    """

    own: Mapping[str, Meaning] = field(default_factory=dict)
    no_sale: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: StatusSettings) -> StatusWords:
        """Return the known statuses, with those of the settings."""
        own = dict.fromkeys(map(fold, settings.no_sale), Meaning.NO_SALE)
        own |= dict.fromkeys(map(fold, settings.sale), Meaning.SALE)
        return cls(own, settings.no_sale)

    def meaning(self, text: str) -> Meaning | None:
        """Return what a status means; None if it is unknown.

        >>> StatusWords().meaning("wc-cancelled"), StatusWords().meaning("Storniert")
        (<Meaning.NO_SALE: 'no_sale'>, <Meaning.NO_SALE: 'no_sale'>)
        """
        if (key := fold(text)) in self.own:
            return self.own[key]
        first = _DETAIL.split(text, maxsplit=1)[0]
        for part in (text, _WOOCOMMERCE.sub("", text), first, _SUBJECT.sub("", first)):
            if known := _known().get(fold(part)):
                return known[0]
        return Meaning.NO_SALE if _begins_as_no_sale(text) else None

    def texts(self, values: Iterable[str], meanings: frozenset[Meaning]) -> tuple[str, ...]:
        """Return the statuses of some meanings, as `status_text` writes them, sorted.

        These are the values themselves, and the words in English and in the languages of the values.

        Args:
            values: The values of a column.
            meanings: What the statuses mean.
        """
        present = {value: self.meaning(value) for value in values}
        texts = {status_text(value) for value, meaning in present.items() if meaning in meanings}
        languages = {"en", *self._languages(present)}
        for meaning in meanings:
            table = load("status_words")[meaning]
            texts.update(status_text(word) for language in languages for word in table[language])
        if any(_WOOCOMMERCE.match(value) for value in present):
            woocommerce = load("status_words")["woocommerce"]
            texts.update(
                _SHOWN_PREFIX + word for word in woocommerce["no_sale"] if self.meaning(word) in meanings
            )
        if Meaning.NO_SALE in meanings:
            texts.update(map(status_text, self.no_sale))
        return tuple(sorted(text for text in texts if self.own.get(fold(text)) is not Meaning.SALE))

    @staticmethod
    def has_customers(values: Iterable[str]) -> bool:
        """Return whether some value is the status of a customer or a subscription, such as `active`."""
        words = load("status_words")["customer"].values()
        return not {fold(word) for listed in words for word in listed}.isdisjoint(map(fold, values))

    @staticmethod
    def _languages(values: Iterable[str]) -> set[str]:
        found = set[str]()
        for value in values:
            known = _known().get(fold(value))
            if known and "en" not in known[1]:
                found |= known[1]
        return found


@lru_cache(4096)
def fold(text: str) -> str:
    """Return text for comparison: letters and digits without case and accents.

    >>> fold("Partially_Refunded"), fold("Annulé")
    ('partiallyrefunded', 'annule')
    """
    plain = text.casefold()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain.replace("ł", "l"))
    return plain if plain.isalnum() else "".join(filter(str.isalnum, plain))


def name_words(name: str) -> list[str]:
    """Return the words of a column name, without case and accents.

    >>> name_words("orderStatus (Größe)")
    ['order', 'status', 'grosse']
    """
    return [word for part in _NAME_PARTS.findall(name) if (word := fold(part))]


def name_kind(name: str) -> NameKind | None:
    """Return the kind of a status column's name; None if it is no name of a status.

    >>> name_kind("Financial Status"), name_kind("Lineitem fulfillment status"), name_kind("State")
    ('order', 'other', 'weak')
    """
    columns: Mapping[str, Any] = load("status_words")["columns"]
    words, stems = [], []
    for word in name_words(name):
        ending = next((end for end in columns["endings"] if word.endswith(end) and word != end), "")
        if word in columns["status"] or word in columns["weak"]:
            stems.append(word)
        elif ending:
            stems.append(ending)
            words.append(word.removesuffix(ending))
        else:
            words.append(word)
    if not stems or set(words) & set(columns["detail"]):
        return None
    if set(words) & set(columns["other"]):
        return "other"
    if set(words) & set(columns["order"]):
        return "order"
    return "plain" if set(stems) & set(columns["status"]) else "weak"


@cache
def _begins_as_no_sale(text: str) -> bool:
    """Return whether a status begins with a word such as `cancelled`, and is of the order as a whole.

    >>> _begins_as_no_sale("canceled_by_customer"), _begins_as_no_sale("Cancelled in part")
    (True, False)
    """
    words = load("status_words")["begins"]
    first, *others = name_words(_WOOCOMMERCE.sub("", text).casefold()) or [""]
    return first in set(map(fold, words["no_sale"])) and not set(others) & set(map(fold, words["open"]))


def flag_name(name: str) -> str:
    """Return the name of a column without words such as `is`, for comparison with the known flags.

    >>> flag_name("isCancelled"), flag_name("Order void?"), flag_name("Test-Order")
    ('cancelled', 'void', 'test')
    """
    fillers = load("status_words")["flags"]["fillers"]
    return "".join(word for word in name_words(name) if word not in fillers)


@cache
def _known() -> Mapping[str, tuple[Meaning, frozenset[str]]]:
    """Return the known statuses by `fold`: the meaning of each, and its languages."""
    known: dict[str, tuple[Meaning, frozenset[str]]] = {}
    tables = load("status_words")
    for meaning in Meaning:
        for language, words in tables[meaning].items():
            for word in words:
                first, languages = known.get(fold(word), (meaning, frozenset()))
                known[fold(word)] = first, languages | {language}
    return known
