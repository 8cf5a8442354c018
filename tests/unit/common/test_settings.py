"""Settings: one way to load, closed by default, sentences that name the variable."""

import pytest
from pydantic import Field, SecretStr, ValidationError

from common.errors import StartError
from common.settings import Environment, Section, Settings, load, variables


class DoorSettings(Section):
    """A service's own section."""

    public_url: str = Field(description="Where we are called.")
    key: SecretStr | None = Field(default=None, description="A secret.")
    limit: int = Field(default=3, ge=1, description="A number.")


class ExampleSettings(Settings):
    """All that an imaginary service reads."""

    door: DoorSettings


REQUIRED = {"RECADO_DOOR_PUBLIC_URL": "https://here"}


def test_a_variable_is_the_path_of_its_field() -> None:
    settings = load(
        ExampleSettings, REQUIRED | {"RECADO_DATABASE_POOL_SIZE": "7", "RECADO_DOOR_LIMIT": "5"}
    )

    assert settings.door.public_url == "https://here"
    assert settings.door.limit == 5
    assert settings.database.pool_size == 7


def test_the_environment_is_closed_by_default() -> None:
    assert load(ExampleSettings, REQUIRED).environment is Environment.PRODUCTION


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(StartError, match="Set RECADO_DOOR_PUBLIC_URL: it has no default"):
        load(ExampleSettings, {})


def test_every_wrong_variable_is_named_and_its_value_is_not_shown() -> None:
    with pytest.raises(StartError) as refusal:
        load(
            ExampleSettings,
            REQUIRED | {"RECADO_DOOR_LIMIT": "none-at-all", "RECADO_ENVIRONMENT": "prod"},
        )

    assert "Mend RECADO_DOOR_LIMIT" in str(refusal.value)
    assert "Mend RECADO_ENVIRONMENT" in str(refusal.value)
    assert "none-at-all" not in str(refusal.value)


@pytest.mark.parametrize("secret", ["short", "change-me-change-me-1", "aaaaaaaaaaaaaaaaaaaaaaaa"])
@pytest.mark.parametrize("environment", ["production", "staging", ""])
def test_a_weak_secret_is_refused_outside_development(secret: str, environment: str) -> None:
    environ = REQUIRED | {"RECADO_DOOR_KEY": secret, "RECADO_ENVIRONMENT": environment}

    with pytest.raises(StartError, match="RECADO_DOOR_KEY") as refusal:
        load(ExampleSettings, environ)

    assert secret not in str(refusal.value)


def test_a_placeholder_as_the_password_of_an_address_is_refused_outside_development() -> None:
    with pytest.raises(StartError, match="RECADO_DATABASE_URL"):
        load(ExampleSettings, REQUIRED | {"RECADO_DATABASE_URL": "postgresql://a:password@host/b"})

    url = "postgresql://a:wg7-Hq2@host/b"
    assert load(ExampleSettings, REQUIRED | {"RECADO_DATABASE_URL": url}).database.url


def test_a_weak_secret_is_allowed_in_development() -> None:
    environ = REQUIRED | {"RECADO_DOOR_KEY": "short", "RECADO_ENVIRONMENT": "development"}

    assert load(ExampleSettings, environ).door.key == SecretStr("short")


def test_a_lease_that_a_wait_for_the_database_outlasts_is_refused() -> None:
    with pytest.raises(StartError, match="RECADO_JOBS_LEASE_SECONDS to more than"):
        load(ExampleSettings, REQUIRED | {"RECADO_JOBS_LEASE_SECONDS": "10"})


def test_settings_do_not_change_and_hide_their_secrets() -> None:
    settings = load(ExampleSettings, REQUIRED | {"RECADO_DOOR_KEY": "k3jh5kj3h45kjh2345"})

    assert "k3jh5kj3h45kjh2345" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.door.limit = 9


def test_every_variable_has_a_description() -> None:
    assert [one.name for one in variables(ExampleSettings) if not one.field.description] == []
