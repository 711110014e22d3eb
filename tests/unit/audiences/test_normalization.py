"""Normalization rules: the networks' published examples, and invariants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.audiences import normalization
from rfm_pipeline.audiences.normalization import Rule
from support.databases import empty_database
from support.lanes import max_examples

# Google's own formatter of user data, whose tests carry these: github.com/googleads/data-manager-python,
# tests/formatter_test.py, and UserDataFormatterTest.java of data-manager-java. The rules behind them:
# developers.google.com/data-manager/api/devguides/concepts/formatting.
GOOGLE = [
    (normalization.google_email, "QuinnY@EXAMPLE.com", "quinny@example.com"),
    (normalization.google_email, "Jefferson.Loves.hiking@gmail.com", "jeffersonloveshiking@gmail.com"),
    (normalization.google_email, "j.e.f..ferson.Loves.hiking@gmail.com", "jeffersonloveshiking@gmail.com"),
    (
        normalization.google_email,
        "Jefferson.LOVES.Hiking@googlemail.com",
        "jeffersonloveshiking@googlemail.com",
    ),
    (normalization.google_email, "Cloudy.SanFrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com"),
    (normalization.google_email, "user.name+NYC@Example.com", "user.name+nyc@example.com"),
    (normalization.google_email, "baklavainthebalkans@gmail.com  ", "baklavainthebalkans@gmail.com"),
    (normalization.google_email, "quinn", None),
    (normalization.google_email, " @googlemail.com", None),
    (normalization.google_email, " ...@gmail.com", None),
    (normalization.google_email, "  ", None),
    (normalization.google_first_name, " Alex   ", "alex"),
    (normalization.google_first_name, " Mr. Alex   ", "alex"),
    (normalization.google_first_name, " Mrs. Alex   ", "alex"),
    (normalization.google_first_name, " Alex Dr.", "alex"),
    (normalization.google_first_name, " Mralex   ", "mralex"),
    (normalization.google_first_name, " Mr. ", None),
    (normalization.google_last_name, "Quinn-Alex", "quinn-alex"),
    (normalization.google_last_name, " Quinn, Jr.   ", "quinn"),
    (normalization.google_last_name, " Quinn,Jr.   ", "quinn"),
    (normalization.google_last_name, " Quinn Sr.  ", "quinn"),
    (normalization.google_last_name, "quinn, jr., dds", "quinn"),
    (normalization.google_last_name, "Boardds", "boardds"),
    (normalization.google_last_name, "lacparm", "lacparm"),
    (normalization.google_last_name, ",Jr.,DDS ", None),
    (normalization.country, " uS ", "US"),
    (normalization.country, " usa ", None),
    (normalization.country, "el", "GR"),  # the code of the European Union
    (normalization.country, " u2 ", None),
    (normalization.text, "  1229-076  ", "1229-076"),
]

# developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/
# customer-information-parameters
META = [
    (normalization.email, "John_Smith@gmail.com", "john_smith@gmail.com"),
    (normalization.meta_phone, "+16505551212", "16505551212"),
    (normalization.meta_name, "Mary", "mary"),
    (normalization.meta_name, "정", "정"),
    (normalization.meta_name, "Valéry", "valéry"),
    (normalization.meta_country, "US", "us"),
    (normalization.meta_zip, "94035-1234", "94035"),
    (normalization.meta_zip, "75018", "75018"),
    (normalization.meta_zip, "M1 1AE", "m11ae"),
]

# The same pages, and developers.google.com/data-manager/api/devguides/audiences/send-audience-members.
HASHES = [
    (
        normalization.google_email,
        "  ALEXZ@example.com   ",
        "509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a",
    ),
    (
        normalization.google_email,
        "dana@example.com",
        "07e2f1394b0ea80e2adca010ea8318df697001a005ba7452720edda4b0ce57b3",
    ),
    (
        normalization.phone,
        "+18005550100",
        "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30",
    ),
    (
        normalization.google_first_name,
        "  GivenName  ",
        "128a07bfe2df877c52076e60d7774cf5baaa046c5a6c48daf30ff43ecca2f814",
    ),
    (
        normalization.google_last_name,
        "  FamilyName ",
        "77762c287e61ce065bee5c15464012c6fbe088398b8057627d5577249430d574",
    ),
    (
        normalization.email,
        "John_Smith@gmail.com",
        "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
    ),
    (
        normalization.meta_phone,
        "+16505551212",
        "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
    ),
    (normalization.meta_name, "Mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
    (normalization.meta_name, "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
    (normalization.meta_name, "Valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
    (normalization.meta_country, "US", "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
]

RULES = [
    normalization.email, normalization.mailchimp_email, normalization.google_email, normalization.postcode,
    normalization.google_first_name, normalization.google_last_name, normalization.meta_name,
    normalization.text, normalization.country, normalization.meta_country, normalization.meta_zip,
    normalization.escape_formula,
]  # fmt: skip

Evaluate = Callable[..., list[str | None]]


@pytest.fixture(scope="module")
def evaluate() -> Iterator[Evaluate]:
    """Function that evaluates an expression over the column `value` for some texts."""
    with empty_database() as connection:

        def values(expression: str, *texts: str, country: str = "") -> list[str | None]:
            rows = connection.execute(
                f"SELECT {expression} FROM"
                " (SELECT UNNEST(CAST(? AS VARCHAR[])) AS value, CAST(? AS VARCHAR) AS country_code)",
                [list(texts), country],
            ).fetchall()
            return [value for (value,) in rows]

        yield values


@pytest.mark.parametrize(("rule", "raw", "written"), [*GOOGLE, *META])
def test_a_value_is_normalized_as_in_the_networks_example(
    evaluate: Evaluate, rule: Rule, raw: str, written: str | None
) -> None:
    assert evaluate(rule("value"), raw) == [written]


@pytest.mark.guarantee("hashed")
@pytest.mark.parametrize(("rule", "raw", "digest"), HASHES)
def test_a_hash_equals_the_networks_example(evaluate: Evaluate, rule: Rule, raw: str, digest: str) -> None:
    assert evaluate(normalization.sha256(rule("value")), raw) == [digest]


# What `Normalize.normalize(field, value, False)` of Meta's own `facebook_business` 26.0.3 returns
# (facebook_business/adobjects/serverside/normalize.py), where its rule is the one of Meta's page.
META_SDK = [
    (normalization.email, "  ΝΙΚΟΣ@Example.COM ", "νικος@example.com"),
    (normalization.meta_name, "ΝΙΚΟΣ", "νικος"),
    (normalization.meta_name, "ΠΑΠΑΔΌΠΟΥΛΟΣ ΣΆΒΒΑΣ", "παπαδόπουλος σάββας"),
    (normalization.meta_name, "İLKNUR", "i\u0307lknur"),
    (normalization.meta_name, "STRAẞE", "straße"),
    (normalization.meta_zip, "SW1A 1AA", "sw1a1aa"),
    (normalization.meta_zip, "94035-1234", "94035"),
    (normalization.meta_country, " DE ", "de"),
    (normalization.meta_phone, "+442079460018", "442079460018"),
]


@pytest.mark.parametrize(("rule", "raw", "written"), META_SDK)
def test_a_value_is_normalized_as_by_metas_own_library(
    evaluate: Evaluate, rule: Rule, raw: str, written: str
) -> None:
    assert evaluate(rule("value"), raw) == [written]


@pytest.mark.parametrize(
    ("country", "raw", "written", "meta"),
    [
        ("US", "940351234", "94035-1234", "94035"),
        ("US", "94035 1234", "94035 1234", "94035"),
        ("US", "2134", "02134", "02134"),
        ("US", "501", "00501", "00501"),
        ("US", "21341234", "02134-1234", "02134"),
        ("PR", "601", "00601", "00601"),
        ("US", "2134.0", "02134", "02134"),  # a column of numbers in which values are missing
        ("DE", "1067", "01067", "01067"),
        ("NO", "150", "0150", "0150"),
        ("JP", "10010", "0010010", "0010010"),
        ("BR", "01310-100", "01310-100", "01310100"),
        ("PL", "00-950", "00-950", "00950"),
        ("SA", "12345-1234", "12345-1234", "123451234"),
        ("GB", "1067", "1067", "1067"),
        ("DE", "67", "67", "67"),  # more than two zeros are no spreadsheet's loss
        ("", "2134", "2134", "2134"),  # which country?
        ("", "940351234", "940351234", "940351234"),
        ("", "94035-1234", "94035-1234", "94035"),
    ],
)
def test_zeros_and_dashes_of_postcodes_are_restored_where_the_country_is_known(
    evaluate: Evaluate, country: str, raw: str, written: str, meta: str
) -> None:
    assert evaluate(normalization.postcode("value"), raw, country=country) == [written]
    assert evaluate(normalization.meta_zip("value"), written, country=country) == [meta]


@pytest.mark.parametrize(
    "raw",
    [
        "a@b", "a b@example.com", "a@example..com", "a@@example.com", "@example.com", "a@.com",
        "a@example.com.", "=1+1@example.com", "-a@example.com", "+a@example.com", '"a"@example.com',
        "<a@example.com>",
        "a@example.com,b@example.com", f"{'a' * 250}@example.com", "a\N{ZERO WIDTH SPACE}b@example.com",
    ],
)  # fmt: skip
def test_an_invalid_address_is_null(evaluate: Evaluate, raw: str) -> None:
    assert evaluate(normalization.email("value"), raw) == [None]


def test_blanks_of_every_kind_are_trimmed_from_an_address(evaluate: Evaluate) -> None:
    around = "\N{NO-BREAK SPACE}\t a.B@example.com\N{ZERO WIDTH SPACE}\r\n"
    assert evaluate(normalization.email("value"), around) == ["a.b@example.com"]
    assert evaluate(normalization.google_email("value"), around) == ["a.b@example.com"]


@pytest.mark.parametrize(
    "rule", [normalization.google_first_name, normalization.google_last_name, normalization.meta_name]
)
def test_an_accent_behind_its_letter_is_one_character_with_it(evaluate: Evaluate, rule: Rule) -> None:
    assert evaluate(rule("value"), "JOSE\N{COMBINING ACUTE ACCENT}") == ["josé"]


def test_mailchimp_accepts_non_ascii_only_in_the_domain(evaluate: Evaluate) -> None:
    texts = ("josé@example.com", "jose@exämple.com")
    assert evaluate(normalization.mailchimp_email("value"), *texts) == [None, "jose@exämple.com"]
    assert evaluate(normalization.email("value"), *texts) == list(texts)


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
def test_a_formula_gets_an_apostrophe(evaluate: Evaluate, formula: str) -> None:
    assert evaluate(normalization.escape_formula("value"), formula) == [f"'{formula}"]


@pytest.mark.parametrize("plain", ["-12.50", "+442079460018", "1e5", "0", "a=b", "O'Neil", "-1.234,50", ""])
def test_other_text_stays_unchanged(evaluate: Evaluate, plain: str) -> None:
    assert evaluate(normalization.escape_formula("value"), plain) == [plain]


# Invariants

TEXTS = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"[ \t]?[a-zA-Z.+=_-]{1,6}@(gmail|Googlemail|example)\.(com|co\.uk)[ ]?", fullmatch=True),
    st.from_regex(r"(Mr|DR|mrs)?\.? ?[A-Za-zÀ-ÿ' .,-]{0,8},? ?(jr|Sr|II|phd|dr)?\.?,?", fullmatch=True),
    st.from_regex(r"[+0]?[0-9 ()/.-]{0,18}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9]{0,5}[ -]?[0-9]{0,5}", fullmatch=True),
).filter(lambda text: "\0" not in text)


SOME = max_examples(20)
"""Number of lists of texts; each list is one query."""


@pytest.mark.parametrize("rule", RULES)
@SOME
@given(texts=st.lists(TEXTS, min_size=1, max_size=40))
def test_normalization_is_idempotent(evaluate: Evaluate, rule: Rule, texts: list[str]) -> None:
    once = [written for written in evaluate(rule("value"), *texts) if written is not None]
    assert evaluate(rule("value"), *once) == once


# Letters and marks of which the case of a Greek sigma depends; no letter of Google's suffixes is among them.
AROUND_SIGMA = st.text("ΑΣςσΆİIıªⅠⓐǄʰ1@ '.:,-·’\u00ad\u0301", max_size=12)  # noqa: RUF001


@SOME
@given(texts=st.lists(AROUND_SIGMA, min_size=1, max_size=40))
def test_lower_case_is_that_of_unicode(evaluate: Evaluate, texts: list[str]) -> None:
    trimmed = [text or "" for text in evaluate(normalization.text("value"), *texts)]
    names = [name or "" for name in evaluate(normalization.google_first_name("value"), *texts)]
    assert names == [text.lower() for text in trimmed]


@SOME
@given(texts=st.lists(TEXTS, min_size=1, max_size=40))
def test_a_hash_equals_hashlibs(evaluate: Evaluate, texts: list[str]) -> None:
    digests = [sha256(text.encode()).hexdigest() for text in texts]
    assert evaluate(normalization.sha256("value"), *texts) == digests


@SOME
@given(texts=st.lists(TEXTS, min_size=1, max_size=40))
def test_no_cell_begins_like_a_formula(evaluate: Evaluate, texts: list[str]) -> None:
    for cell in evaluate(normalization.escape_formula("value"), *texts):
        assert cell is not None
        if cell.lstrip()[:1] in {"=", "+", "-", "@"} and cell.lstrip():
            assert cell.lstrip("+-").replace(".", "").replace(",", "").isdecimal()
