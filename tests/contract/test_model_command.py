"""`recado tenants add --model …`, as an operator types it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.database import open_database
from common.database.migrations import upgrade
from common.ids import parse_id
from processor.identity.models import TENANTS

SERVER = "http://127.0.0.1:11434/v1"


def recado(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recado", *arguments],
        env={"PATH": os.environ["PATH"], "RECADO_DATABASE_URL": address(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def address(folder: Path) -> str:
    return f"sqlite:///{folder}/recado.db"


async def tenants(folder: Path) -> list[dict[str, Any]]:
    async with open_database(address(folder), pool_size=1, busy_seconds=5.0) as database:
        return await database.read(
            lambda tx: [dict(row) for row in tx.execute(TENANTS.select()).mappings()]
        )


async def test_a_tenant_is_added_with_its_model(tmp_path: Path) -> None:
    await upgrade(address(tmp_path), ["processor"])

    added = recado(
        tmp_path, *("tenants", "add", "Padaria", "--model", "openai:llama", "--model-url", SERVER)
    )

    (row,) = await tenants(tmp_path)
    assert (row["model"], row["model_url"]) == ("openai:llama", SERVER)
    assert parse_id(added.stdout.strip()) == row["tenant_id"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model", "gpt-5-mini"), "Write a model as `provider:model`"),
        (("--model", "opnai:gpt-5-mini"), "There is no provider opnai"),
        (("--model", "mistral:large"), "needs a package that is not installed"),
        (("--model-url", SERVER), "add --model"),
        (("--model", "openai:llama", "--model-url", "llama"), "Write an address"),
    ],
    ids=["no provider", "wrong provider", "no package", "address alone", "no address"],
)
async def test_a_model_that_cannot_be_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    await upgrade(address(tmp_path), ["processor"])

    refused = recado(tmp_path, "tenants", "add", "Padaria", *arguments)

    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert await tenants(tmp_path) == []
