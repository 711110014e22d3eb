"""The vocabulary knows the column names of eight languages and of the common shop systems."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from importlib import resources
from importlib.resources.abc import Traversable

import pytest

from rfm_pipeline.config import vocabulary
from rfm_pipeline.config.column_names import fold_name, meaning_of

ROLES = ("customer_id", "order_id", "ordered_at", "amount", "quantity", "unit_price")

# Customer id, e-mail address, order, date, amount, quantity, price of one unit.
NAMES = {
    "en": "Customer ID, E-mail, Order Number, Order Date, Total Amount, Quantity, Unit Price",
    "de": "Kundennummer, E-Mail-Adresse, Bestellnummer, Bestelldatum, Gesamtbetrag, Menge, Stückpreis",
    "fr": "Numéro client, Courriel, N° de commande, Date d'achat, Montant TTC, Quantité, Prix unitaire HT",
    "es": "ID cliente, Correo, Nº pedido, Fecha compra, Importe total, Cantidad, Precio unitario",
    "pt": "ID do cliente, E-mail do cliente, Nº do pedido, Data da compra, Valor pago, Qtd, Preço unitário",
    "it": "Codice cliente, Indirizzo e-mail, Numero ordine, Data ordine, Importo, Quantità, Prezzo unitario",
    "nl": "Klantnummer, E-mailadres, Bestelnummer, Besteldatum, Totaalbedrag, Aantal, Stuksprijs",
    "pl": "ID klienta, Adres e-mail, Nr zamówienia, Data zakupu, Wartość brutto, Ilość, Cena jednostkowa",
}  # fmt: skip
NEVER_AMOUNTS = {
    "en": "Refund Amount, Discount, Unit Cost, Sales Tax, Tip, Shipping, Processing Fee, Balance, Weight",
    "de": "Erstattung, Rabatt, Einkaufspreis, MwSt., Trinkgeld, Versandkosten, Gebühr, Saldo, Gewicht",
    "fr": "Remboursement, Remise, Prix d'achat, TVA, Pourboire, Frais de port, Frais, Solde, Poids",
    "es": "Reembolso, Descuento, Coste, IVA, Propina, Gastos de envío, Comisión, Saldo, Peso",
    "pt": "Valor reembolsado, Desconto, Custo, Imposto, Gorjeta, Frete, Taxa, Saldo, Peso",
    "it": "Rimborso, Sconto, Costo, Imposta, Mancia, Spese di spedizione, Commissione, Saldo, Peso",
    "nl": "Terugbetaling, Korting, Kostprijs, BTW, Fooi, Verzendkosten, Commissie, Saldo, Gewicht",
    "pl": "Kwota zwrotu, Rabat, Koszt, Podatek, Napiwek, Koszt wysyłki, Prowizja, Saldo, Waga",
}  # fmt: skip
NEVER_ROLES = ("refund", "discount", "cost", "tax", "tip", "shipping", "fee", "balance", "weight")


FILES = sorted(
    (file for file in resources.files(vocabulary).iterdir() if file.name.endswith(".toml")),
    key=lambda file: file.name,
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_is_read_as_toml(file: Traversable) -> None:
    # A file in a part of TOML that `load` does not know differs here.
    assert vocabulary.load(file.name.removesuffix(".toml")) == tomllib.loads(file.read_text(encoding="utf-8"))


def role_and_kind(name: str) -> tuple[str, str]:
    meaning = meaning_of(name)
    return (meaning.role, meaning.kind) if meaning else ("", "")


@pytest.mark.parametrize("language", vocabulary.LANGUAGES)
def test_an_export_of_each_language_is_known(language: str) -> None:
    customer, email, *others = (role_and_kind(name.strip()) for name in NAMES[language].split(","))
    assert (customer, email) == (("customer_id", "id"), ("customer_id", "email"))
    assert tuple(role for role, _ in others) == ROLES[1:]


@pytest.mark.parametrize("language", vocabulary.LANGUAGES)
def test_money_that_is_never_the_amount_is_known_in_each_language(language: str) -> None:
    names = [name.strip() for name in NEVER_AMOUNTS[language].split(",")]
    assert tuple(role_and_kind(name)[0] for name in names) == NEVER_ROLES


@pytest.mark.parametrize("language", vocabulary.LANGUAGES)
def test_each_language_has_names_for_each_role(language: str) -> None:
    for role, groups in vocabulary.load("column_names").items():
        assert any(language in group for group in groups), f"{role} has no names in {language}"


@pytest.mark.parametrize(
    ("role", "kind", "names"),
    [
        ("customer_id", "id", "customer_unique_id, user_pseudo_id, Buyer Username"),
        ("customer_id", "email", "Email (Billing), From Email Address, Customer Email, Buyer Email, $email"),
        ("customer_id", "name", "Customer Name, Billing Name, Kundenname, Nom du client, Nazwa klienta"),
        ("customer_id", "unclear", "Customer, Kunde, Cliente, Klant, Buyer"),
        ("order_id", "", "Order #, amazon-order-id, InvoiceNo, Transaction ID, basket_id, O_ORDERKEY"),
        ("ordered_at", "", "Created date (UTC), purchase-date, InvoiceDate, order_purchase_timestamp, Datum"),
        ("amount", "line", "Item Total, LineTotal, L_EXTENDEDPRICE, Line Revenue"),
        ("amount", "amount", "Net Sales, Gross, total_usd, Betrag (EUR), amount_cents, Montant HT"),
        ("amount", "order", "Order Total (inc tax), Grand Total (Base), Order Value, Bestellwert"),
        ("price", "", "Price, Sale Price, item-price, Verkaufspreis, price_in_cents, Preço"),
        ("unit_price", "", "UnitPrice, unit_price, priceEach, Einzelpreis netto"),
        ("list_price", "", "List Price, MSRP, Lineitem compare at price, UVP"),
        ("tax", "", "Sales Tax, item-tax, VAT, Order Sales Tax, TVA"),
        ("shipping", "", "freight_value, Shipping and Handling, Order Shipping, shipping-price"),
        ("product", "", "StockCode, SKU, Item Name, Lineitem sku, Artikelnummer"),
    ],
)
def test_names_of_shop_systems_and_public_data_sets_are_known(role: str, kind: str, names: str) -> None:
    for name in names.split(", "):
        assert role_and_kind(name) == (role, kind), name


@pytest.mark.parametrize(
    "name",
    ["Ship Date", "Due Date", "Birthday", "Order Status", "Currency", "Order Notes", "Country", "Coupon Code",
     "Number of Orders", "Order Count", "Last Order Date", "Store ID", "Employee", "2024", ""],
)  # fmt: skip
def test_other_names_have_no_key_role(name: str) -> None:
    assert role_and_kind(name)[0] not in {"customer_id", "order_id", "ordered_at"}


def test_a_name_occurs_in_one_group_only() -> None:
    groups_by_name = defaultdict(set)
    for role, groups in vocabulary.load("column_names").items():
        for index, group in enumerate(groups):
            assert set(group) <= {*vocabulary.LANGUAGES, "systems", "kind", "rank"}
            for key, names in group.items():
                if key not in {"kind", "rank"}:
                    for name in names.split(","):
                        groups_by_name[fold_name(name)].add((role, index))
    assert "" not in groups_by_name
    assert {name: groups for name, groups in groups_by_name.items() if len(groups) > 1} == {}


def test_the_vocabularies_are_shipped_and_read_once() -> None:
    files = {file.name for file in resources.files(vocabulary.__name__).iterdir()}
    assert "column_names.toml" in files
    assert vocabulary.load("column_names") is vocabulary.load("column_names")
