"""How long whatever failed waits at most."""

from common.backoff import upper_end


def test_the_end_doubles_up_to_the_longest() -> None:
    ends = [upper_end(0.2, 1.0, attempts) for attempts in (1, 2, 3, 4, 5, 5_000)]

    assert ends == [0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
