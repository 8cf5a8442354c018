"""What a development process makes up for itself."""

import stat
from pathlib import Path

from common.settings import Settings, load
from recado.development import development_secrets, development_variables, write_private


def test_secrets_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    first = development_secrets(tmp_path / "var")
    again = development_secrets(tmp_path / "var")
    other = development_secrets(tmp_path / "other")

    file = tmp_path / "var" / "secrets.json"
    assert first == again
    assert first != other
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "dev.json"
    write_private(file, "a long first text")
    write_private(file, "short")

    assert file.read_text() == "short"
    assert list(tmp_path.iterdir()) == [file]


def test_the_variables_load(tmp_path: Path) -> None:
    made = development_secrets(tmp_path)

    settings = load(
        Settings, development_variables(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2", made)
    )

    assert settings.environment == "development"
    assert settings.broker.url == f"sqlite:///{tmp_path}/broker.db"
