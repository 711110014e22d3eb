"""Values are written as each network asks: the examples that they publish, and what holds of any value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfm_pipeline.audiences import normalization as normalise
from rfm_pipeline.audiences.normalization import Rule

# Google's own formatter of user data, whose tests carry these: github.com/googleads/data-manager-python,
# tests/formatter_test.py, and UserDataFormatterTest.java of data-manager-java. The rules behind them:
# developers.google.com/data-manager/api/devguides/concepts/formatting.
GOOGLE = [
    (normalise.google_email, "QuinnY@EXAMPLE.com", "quinny@example.com"),
    (normalise.google_email, "Jefferson.Loves.hiking@gmail.com", "jeffersonloveshiking@gmail.com"),
    (normalise.google_email, "j.e.f..ferson.Loves.hiking@gmail.com", "jeffersonloveshiking@gmail.com"),
    (normalise.google_email, "Jefferson.LOVES.Hiking@googlemail.com", "jeffersonloveshiking@googlemail.com"),
    (normalise.google_email, "Cloudy.SanFrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com"),
    (normalise.google_email, "user.name+NYC@Example.com", "user.name+nyc@example.com"),
    (normalise.google_email, "baklavainthebalkans@gmail.com  ", "baklavainthebalkans@gmail.com"),
    (normalise.google_email, "quinn", None),
    (normalise.google_email, " @googlemail.com", None),
    (normalise.google_email, " ...@gmail.com", None),
    (normalise.google_email, "  ", None),
    (normalise.phone, "1 800 555 0100", "+18005550100"),
    (normalise.phone, "18005550100", "+18005550100"),
    (normalise.phone, "+1 800-555-0100", "+18005550100"),
    (normalise.phone, "441134960987", "+441134960987"),
    (normalise.phone, "+44-113-496-0987", "+441134960987"),
    (normalise.phone, " +A BCD EFG ", None),
    (normalise.google_first_name, " Alex   ", "alex"),
    (normalise.google_first_name, " Mr. Alex   ", "alex"),
    (normalise.google_first_name, " Mrs. Alex   ", "alex"),
    (normalise.google_first_name, " Alex Dr.", "alex"),
    (normalise.google_first_name, " Mralex   ", "mralex"),
    (normalise.google_first_name, " Mr. ", None),
    (normalise.google_last_name, "Quinn-Alex", "quinn-alex"),
    (normalise.google_last_name, " Quinn, Jr.   ", "quinn"),
    (normalise.google_last_name, " Quinn,Jr.   ", "quinn"),
    (normalise.google_last_name, " Quinn Sr.  ", "quinn"),
    (normalise.google_last_name, "quinn, jr., dds", "quinn"),
    (normalise.google_last_name, "Boardds", "boardds"),
    (normalise.google_last_name, "lacparm", "lacparm"),
    (normalise.google_last_name, ",Jr.,DDS ", None),
    (normalise.country, " uS ", "US"),
    (normalise.country, " usa ", None),
    (normalise.country, " u2 ", None),
    (normalise.text, "  1229-076  ", "1229-076"),
]

# developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/
# customer-information-parameters
META = [
    (normalise.email, "John_Smith@gmail.com", "john_smith@gmail.com"),
    (normalise.meta_phone, "1 (650)555-1212", "16505551212"),
    (normalise.meta_name, "Mary", "mary"),
    (normalise.meta_name, "정", "정"),
    (normalise.meta_name, "Valéry", "valéry"),
    (normalise.meta_country, "US", "us"),
    (normalise.meta_zip, "94035-1234", "94035"),
    (normalise.meta_zip, "75018", "75018"),
    (normalise.meta_zip, "M1 1AE", "m11ae"),
]

# The same pages, and developers.google.com/data-manager/api/devguides/audiences/send-audience-members.
HASHES = [
    (
        normalise.google_email,
        "  ALEXZ@example.com   ",
        "509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a",
    ),
    (
        normalise.google_email,
        "dana@example.com",
        "07e2f1394b0ea80e2adca010ea8318df697001a005ba7452720edda4b0ce57b3",
    ),
    (
        normalise.phone,
        "   +1-800-555-0100",
        "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30",
    ),
    (
        normalise.google_first_name,
        "  GivenName  ",
        "128a07bfe2df877c52076e60d7774cf5baaa046c5a6c48daf30ff43ecca2f814",
    ),
    (
        normalise.google_last_name,
        "  FamilyName ",
        "77762c287e61ce065bee5c15464012c6fbe088398b8057627d5577249430d574",
    ),
    (
        normalise.email,
        "John_Smith@gmail.com",
        "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
    ),
    (
        normalise.meta_phone,
        "1 (650)555-1212",
        "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
    ),
    (normalise.meta_name, "Mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
    (normalise.meta_name, "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
    (normalise.meta_name, "Valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
    (normalise.meta_country, "US", "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
]

RULES = [
    normalise.email, normalise.mailchimp_email, normalise.google_email, normalise.phone,
    normalise.google_first_name, normalise.google_last_name, normalise.meta_name, normalise.text,
    normalise.country, normalise.meta_country, normalise.meta_zip, normalise.harmless,
]  # fmt: skip

Evaluate = Callable[..., list[str | None]]


@pytest.fixture(scope="module")
def evaluate() -> Iterator[Evaluate]:
    """What an expression over the column `value` makes of some texts."""
    with duckdb.connect() as connection:

        def values(expression: str, *texts: str) -> list[str | None]:
            rows = connection.execute(
                f"SELECT {expression} FROM (SELECT UNNEST(CAST(? AS VARCHAR[])) AS value)", [list(texts)]
            ).fetchall()
            return [value for (value,) in rows]

        yield values


@pytest.mark.parametrize(("rule", "raw", "written"), [*GOOGLE, *META])
def test_a_value_is_written_as_the_networks_example(
    evaluate: Evaluate, rule: Rule, raw: str, written: str | None
) -> None:
    assert evaluate(rule("value"), raw) == [written]


@pytest.mark.parametrize(("rule", "raw", "digest"), HASHES)
def test_a_hash_is_the_one_that_the_network_publishes(
    evaluate: Evaluate, rule: Rule, raw: str, digest: str
) -> None:
    assert evaluate(normalise.sha256(rule("value")), raw) == [digest]


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        ("(650)555-1212", None),  # which country?
        ("650-555-1212", None),
        ("020 7946 0018", None),
        ("0044 (0)20 7946 0018", "+442079460018"),
        ("+47 12 34 56 78", "+4712345678"),
        ("+1 650 555 1212 ext. 5", None),
        ("+1 (650) 555\N{EN DASH}1212", "+16505551212"),
        ("+1234", None),
        ("+1234567890123456", None),
    ],
)
def test_no_country_code_is_guessed(evaluate: Evaluate, raw: str, written: str | None) -> None:
    assert evaluate(normalise.phone("value"), raw) == [written]


@pytest.mark.parametrize(
    "raw",
    [
        "a@b", "a b@example.com", "a@example..com", "a@@example.com", "@example.com", "a@.com",
        "a@example.com.", "=1+1@example.com", "-a@example.com", "+a@example.com", '"a"@example.com',
        "<a@example.com>",
        "a@example.com,b@example.com", f"{'a' * 250}@example.com", "a\N{ZERO WIDTH SPACE}b@example.com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_none(evaluate: Evaluate, raw: str) -> None:
    assert evaluate(normalise.email("value"), raw) == [None]


def test_blanks_of_every_kind_go_from_around_an_address(evaluate: Evaluate) -> None:
    around = "\N{NO-BREAK SPACE}\t a.B@example.com\N{ZERO WIDTH SPACE}\r\n"
    assert evaluate(normalise.email("value"), around) == ["a.b@example.com"]
    assert evaluate(normalise.google_email("value"), around) == ["a.b@example.com"]


def test_mailchimp_takes_letters_of_other_alphabets_only_behind_the_at(evaluate: Evaluate) -> None:
    texts = ("josé@example.com", "jose@exämple.com")
    assert evaluate(normalise.mailchimp_email("value"), *texts) == [None, "jose@exämple.com"]
    assert evaluate(normalise.email("value"), *texts) == list(texts)


@pytest.mark.parametrize(
    "formula",
    [
        "=cmd|'/c calc'!A0",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\n1",
        "\N{FULLWIDTH EQUALS SIGN}1",
    ],
)
def test_a_formula_is_made_harmless(evaluate: Evaluate, formula: str) -> None:
    assert evaluate(normalise.harmless("value"), formula) == [f"'{formula}"]


@pytest.mark.parametrize("plain", ["-12.50", "+442079460018", "1e5", "0", "a=b", "O'Neil", "-1.234,50", ""])
def test_what_is_no_formula_stays_as_it_is(evaluate: Evaluate, plain: str) -> None:
    assert evaluate(normalise.harmless("value"), plain) == [plain]


# What must hold of any value

TEXTS = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"[ \t]?[a-zA-Z.+=_-]{1,6}@(gmail|Googlemail|example)\.(com|co\.uk)[ ]?", fullmatch=True),
    st.from_regex(r"(Mr|DR|mrs)?\.? ?[A-Za-zÀ-ÿ' .,-]{0,8},? ?(jr|Sr|II|phd|dr)?\.?,?", fullmatch=True),
    st.from_regex(r"[+0]?[0-9 ()/.-]{0,18}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9]{0,5}[ -]?[0-9]{0,5}", fullmatch=True),
).filter(lambda text: "\0" not in text)


SOME = settings(max_examples=20)
"""A list of texts is one example; each costs DuckDB a query."""


@pytest.mark.parametrize("rule", RULES)
@SOME
@given(texts=st.lists(TEXTS, min_size=1, max_size=40))
def test_what_is_written_so_already_stays_as_it_is(evaluate: Evaluate, rule: Rule, texts: list[str]) -> None:
    once = [written for written in evaluate(rule("value"), *texts) if written is not None]
    assert evaluate(rule("value"), *once) == once


@SOME
@given(texts=st.lists(TEXTS, min_size=1, max_size=40))
def test_a_hash_is_that_of_pythons_own_library(evaluate: Evaluate, texts: list[str]) -> None:
    digests = [sha256(text.encode()).hexdigest() for text in texts]
    assert evaluate(normalise.sha256("value"), *texts) == digests


@SOME
@given(texts=st.lists(TEXTS, min_size=1, max_size=40))
def test_nothing_that_is_written_into_a_cell_begins_like_a_formula(
    evaluate: Evaluate, texts: list[str]
) -> None:
    for cell in evaluate(normalise.harmless("value"), *texts):
        assert cell is not None
        if cell.lstrip()[:1] in {"=", "+", "-", "@"} and cell.lstrip():
            assert cell.lstrip("+-").replace(".", "").replace(",", "").isdecimal()
