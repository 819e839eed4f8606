"""What is never shown, whoever says it, and what only looks like it."""

import pytest

from agents.evidence.kubernetes.labels import MEANING
from agents.gate.banned import never_shown

LOST = "a loss of data that no result states"


@pytest.mark.parametrize("said", ["All accounts are missing.", "Images are missing.", "Orders were deleted."])
def test_a_loss_of_data_that_nobody_measured_is_never_shown(said: str) -> None:
    assert never_shown(said) == LOST


def test_every_fault_of_a_cluster_can_be_named() -> None:
    for label, meaning in MEANING.items():
        assert never_shown(label.replace("_", " ")) is None, label
        assert never_shown(f"checkout: {meaning}.") is None, label
