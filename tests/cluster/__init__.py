"""The chart on a real cluster: `python -m tests.cluster`, which is `make test-cluster`."""
