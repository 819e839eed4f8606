"""What a check says of a promise."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["proved", "attested", "not_applicable", "failed"]
"""`proved`: observed on this deployment, now. `attested`: the operator says so, dated. `not_applicable`: a setting says
that there is nothing to observe. `failed`: observed to be broken, or not observed at all.
"""


class Broken(Exception):
    """The promise does not hold. The message is a plain sentence for the operator, without any content."""


@dataclass(frozen=True, kw_only=True)
class VerifyFinding:
    """`observed` says what was looked at; `not_observed` what this outcome does not speak of."""

    promise: str
    title: str
    outcome: Outcome
    sentence: str
    observed: tuple[str, ...] = ()
    not_observed: tuple[str, ...] = ()
