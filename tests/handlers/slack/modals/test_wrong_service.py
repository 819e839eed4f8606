"""The wrong-service form."""

from typing import Any

from handlers.slack.modal import Metadata
from handlers.slack.modals.wrong_service import MOST_OPTIONS, wrong_service_view


def test_the_form_offers_the_declared_services_and_no_more_than_slack_takes() -> None:
    view: dict[str, Any] = wrong_service_view(Metadata(subject="i1"), [f"service-{n}" for n in range(150)])
    (field,) = view["blocks"]
    assert len(field["element"]["options"]) == MOST_OPTIONS
    assert Metadata.model_validate_json(str(view["private_metadata"])).subject == "i1"
