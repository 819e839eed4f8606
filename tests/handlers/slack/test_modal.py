"""What modals share."""

from agents.permission import Permission
from handlers.slack.modal import Metadata, discover_modals, read_metadata


def test_every_modal_declares_its_permission() -> None:
    assert {name: modal.permission for name, modal in discover_modals().items()} == {
        "break_glass": Permission.APPROVE_HIGH,
        "change_scope": Permission.APPROVE_MEDIUM,
        "connect": Permission.CONNECT,
        "draft_report": Permission.INVESTIGATE,
        "feedback": Permission.READ,
        "service": Permission.CONNECT,
        "undo": Permission.APPROVE_MEDIUM,
        "webhook_secret": Permission.CONNECT,
        "wrong_service": Permission.INVESTIGATE,
    }


def test_metadata_that_we_did_not_write_is_none() -> None:
    assert read_metadata(Metadata(subject="a").model_dump_json()) == Metadata(subject="a")
    assert read_metadata('{"subject": "a", "role": "admin"}') is None
    assert read_metadata("") is None
