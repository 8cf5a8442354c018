"""The real servers that tests talk to: Postgres, Kafka and Chromium, each had once per run.

An address in the environment wins (`RECADO_TEST_POSTGRES_URL`, `RECADO_TEST_KAFKA`,
`RECADO_TEST_CHROMIUM`). Otherwise programs of this machine are started on free loopback ports in a
temporary folder and stopped at the end. They are started on Linux only; elsewhere give addresses.
"""
