from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator

from gateway.twilio_form import parse
from gateway.twilio_signature import is_signed, sign

Pairs = list[tuple[str, str]]

TOKEN = "12345"
PUBLISHED_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
PUBLISHED_FORM = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+12349013030",
    "Digits": "1234",
    "From": "+12349013030",
    "To": "+18005551212",
}
PUBLISHED_SIGNATURE = "0/KCTR6DLpKmkAf8muzZqo1nDgQ="

characters = st.characters(exclude_categories=["Cs"])
forms = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(["Body", "body", "To", "From"]), st.text(characters, min_size=1)),
        st.one_of(st.sampled_from(["", " x ", "'", "@", "ção", "+55 11"]), st.text(characters)),
    ),
    max_size=12,
)
urls = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["https", "http"]),
    st.sampled_from(["hooks.example.com", "127.0.0.1", "Hooks.Example.com"]),
    st.sampled_from(["", ":443", ":80", ":8443"]),
    st.text("ab/%20@:'~,!.-", max_size=12).map(lambda path: f"/{path}"),
    st.text("ab=&%20@:'+?/;,", min_size=1, max_size=12).map(lambda query: f"?{query}")
    | st.just(""),
)


def ours(url: str, form: Pairs, signature: str, *tokens: str) -> bool:
    return is_signed(
        signature.encode(),
        urls=[url.encode()],
        form=parse(urlencode(form).encode()),
        secrets=[token.encode() for token in tokens or (TOKEN,)],
    )


def theirs(url: str, form: Pairs, signature: str) -> bool:
    return bool(RequestValidator(TOKEN).validate(url, ImmutableMultiDict(form), signature))


def signed_by_theirs(url: str, form: Pairs, token: str = TOKEN) -> str:
    return str(RequestValidator(token).compute_signature(url, ImmutableMultiDict(form)))


def test_the_published_vector_fits() -> None:
    assert ours(PUBLISHED_URL, list(PUBLISHED_FORM.items()), PUBLISHED_SIGNATURE)


def test_we_sign_as_published() -> None:
    form = parse(urlencode(PUBLISHED_FORM).encode())

    assert sign(PUBLISHED_URL.encode(), form, b"12345") == PUBLISHED_SIGNATURE.encode()


@given(urls, forms)
def test_what_twilios_library_signs_fits(url: str, form: Pairs) -> None:
    assert ours(url, form, signed_by_theirs(url, form))


@given(
    signed=st.tuples(urls, forms),
    received=st.tuples(urls, forms),
    token=st.sampled_from([TOKEN, "another"]),
    same_url=st.booleans(),
    same_form=st.booleans(),
)
def test_we_and_twilios_library_agree_on_every_signature(
    *,
    signed: tuple[str, Pairs],
    received: tuple[str, Pairs],
    token: str,
    same_url: bool,
    same_form: bool,
) -> None:
    url = signed[0] if same_url else received[0]
    form = signed[1] if same_form else received[1]
    signature = signed_by_theirs(*signed, token)

    assert ours(url, form, signature) == theirs(url, form, signature)


@given(forms)
@example([("Body", "x"), ("Body", "x")])
@example([("Body", "b"), ("Body", "a"), ("body", "")])
def test_repeated_values_are_signed_as_twilios_library_does(form: Pairs) -> None:
    repeated = [*form, *reversed(form)]

    assert ours(PUBLISHED_URL, repeated, signed_by_theirs(PUBLISHED_URL, repeated))


@pytest.mark.parametrize("configured", ["", ":443", ":80", ":8443"])
@pytest.mark.parametrize("signed", ["", ":443", ":80", ":8443"])
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_ports_are_left_out_or_put_in_as_twilios_library_does(
    scheme: str, configured: str, signed: str
) -> None:
    signature = signed_by_theirs(f"{scheme}://h{signed}/x", [("Body", "x")])
    url = f"{scheme}://h{configured}/x"

    assert ours(url, [("Body", "x")], signature) == theirs(url, [("Body", "x")], signature)


@pytest.mark.parametrize(
    ("configured", "signed"),
    [("[::1]:8443", "[::1]"), ("[::1]", "[::1]:443"), ("[2001:db8::8]", "[2001:db8::8]")],
)
def test_an_ipv6_address_keeps_its_colons(configured: str, signed: str) -> None:
    signature = signed_by_theirs(f"https://{signed}/x", [])

    assert ours(f"https://{configured}/x", [], signature)


@pytest.mark.parametrize(
    "changed",
    [
        [("Body", "x "), ("NumMedia", "0"), ("FromCity", "")],
        [("Body", " x"), ("NumMedia", "0")],
        [("Body", " x"), ("NumMedia", "0"), ("FromCity", ""), ("New", "")],
        [("body", " x"), ("NumMedia", "0"), ("FromCity", "")],
    ],
)
def test_a_trimmed_a_dropped_or_an_added_field_does_not_fit(changed: Pairs) -> None:
    signature = signed_by_theirs(
        PUBLISHED_URL, [("Body", " x"), ("NumMedia", "0"), ("FromCity", "")]
    )

    assert not ours(PUBLISHED_URL, changed, signature)


@pytest.mark.parametrize(
    "url",
    [
        "http://mycompany.com/myapp.php?foo=1&bar=2",
        "https://Mycompany.com/myapp.php?foo=1&bar=2",
        "https://mycompany.com/myapp.php/?foo=1&bar=2",
        "https://mycompany.com/myapp.php?bar=2&foo=1",
        "https://mycompany.com/myapp%2Ephp?foo=1&bar=2",
        "https://mycompany.com:8443/myapp.php?foo=1&bar=2#rc=5",
    ],
)
def test_another_url_does_not_fit(url: str) -> None:
    assert not ours(url, list(PUBLISHED_FORM.items()), PUBLISHED_SIGNATURE)


@pytest.mark.parametrize("end", [";", "?"])
def test_what_twilios_library_drops_from_the_end_of_a_url_is_kept(end: str) -> None:
    url = f"https://h/x{end}"
    signature = signed_by_theirs(url, [])

    assert ours(url, [], signature)
    assert not theirs(url, [], signature)


def test_any_of_several_secrets_fits_and_no_other() -> None:
    form = list(PUBLISHED_FORM.items())

    assert ours(PUBLISHED_URL, form, PUBLISHED_SIGNATURE, "new token", TOKEN)
    assert not ours(PUBLISHED_URL, form, PUBLISHED_SIGNATURE, "new token", "newer token")
    assert not is_signed(
        PUBLISHED_SIGNATURE.encode(), urls=[PUBLISHED_URL.encode()], form=[], secrets=[]
    )


def test_any_of_several_urls_fits() -> None:
    form = parse(urlencode(PUBLISHED_FORM).encode())

    assert is_signed(
        PUBLISHED_SIGNATURE.encode(),
        urls=[b"https://old.example.com/x", PUBLISHED_URL.encode()],
        form=form,
        secrets=[TOKEN.encode()],
    )


@pytest.mark.parametrize(
    "signature", ["", "x", PUBLISHED_SIGNATURE + "=", PUBLISHED_SIGNATURE.lower(), "ção", "é" * 28]
)
def test_what_is_no_signature_does_not_fit(signature: str) -> None:
    assert not ours(PUBLISHED_URL, list(PUBLISHED_FORM.items()), signature)


def test_an_empty_secret_verifies_nothing() -> None:
    form = [("Body", "forged")]
    forged = sign(b"https://here/", form, b"")

    assert not is_signed(forged, urls=[b"https://here/"], form=form, secrets=[b""])
