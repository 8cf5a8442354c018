from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from simulator.signature import sign

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_twilios_published_example_is_signed_alike() -> None:
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }

    signature = sign("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form)

    assert signature == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="


def test_the_fragment_is_not_signed() -> None:
    url = "https://example.org/messages?x=1"

    assert sign("t", f"{url}#rc=5&rp=5xx", {}) == sign("t", url, {})


@given(form=st.dictionaries(TEXT, TEXT), token=st.text("0123456789abcdef", min_size=1))
def test_twilios_library_trusts_what_we_sign(form: dict[str, str], token: str) -> None:
    url = "https://example.org/webhooks/twilio?a=b%20c"

    signature = sign(token, url, form)

    assert RequestValidator(token).validate(url, form, signature)
