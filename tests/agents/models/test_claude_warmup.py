"""The warm-up goes the whole way of an answer, without a network."""

from agents.models.claude_warmup import warm


def test_the_client_takes_the_canned_answer() -> None:
    warm()
