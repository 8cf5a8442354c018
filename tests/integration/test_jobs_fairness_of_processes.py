"""Several processes, one tenant with a long backlog, and another with one job."""

from pathlib import Path

import pytest

from tests.contract.jobs.foreign_claims import foreign_claims
from tests.contract.jobs.table import postgres_table
from tests.servers.postgres import PostgresDatabase

PROCESSES = 3


@pytest.mark.timeout(120)
async def test_a_job_waits_for_few_of_another_tenants_ten_thousand(
    postgres_database: PostgresDatabase, tmp_path: Path
) -> None:
    table = await postgres_table(postgres_database)

    counts = await foreign_claims(table, tmp_path, processes=PROCESSES, rounds=30)

    assert max(counts) <= 3 * PROCESSES
