"""All that the gateway reads from its environment."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from common.settings import Section, Settings


class GatewaySection(Section):
    """Twilio's door."""

    public_url: str = Field(
        description="Where Twilio reaches the gateway, as in `https://hooks.example.com`: what it "
        "signs, whatever proxies make of it. Several, comma separated, while one takes over from "
        "another."
    )
    host: str = Field(default="0.0.0.0", description="Address to listen on.")  # noqa: S104 - Twilio comes from outside
    port: int = Field(
        default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    publish_seconds: float = Field(
        default=2.0,
        gt=0,
        description="How long a webhook waits for the broker before it answers 503.",
    )
    account_cache_seconds: float = Field(
        default=60.0,
        gt=0,
        description="How long a channel account is used before it is read again.",
    )
    account_read_seconds: float = Field(
        default=1.0,
        gt=0,
        description="How long a webhook waits for the database where its account is not in memory.",
    )
    body_bytes: int = Field(
        default=65_536, ge=1_024, description="Largest form that is read; 413 beyond it."
    )
    body_seconds: float = Field(
        default=5.0, gt=0, description="How long a form may take to arrive; 408 beyond it."
    )
    header_bytes: int = Field(
        default=16_384, ge=1_024, description="Largest sum of request headers; 431 beyond it."
    )

    @field_validator("public_url")
    @classmethod
    def _each_is_an_origin(cls, value: str) -> str:
        for url in _split(value):
            parts = urlsplit(url)
            if "@" in parts.netloc:
                raise ValueError("a password in the address breaks Twilio's signatures")
            bare = f"{parts.scheme}://{parts.netloc}{parts.path}" == url
            if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
                raise ValueError(f"{url!r} is not like https://hooks.example.com")
        return value

    @property
    def public_urls(self) -> tuple[str, ...]:
        """Each address, without a slash at its end."""
        return _split(self.public_url)


class GatewaySettings(Settings):
    """The gateway's process."""

    gateway: GatewaySection


def _split(urls: str) -> tuple[str, ...]:
    return tuple(url.strip().rstrip("/") for url in urls.split(","))
