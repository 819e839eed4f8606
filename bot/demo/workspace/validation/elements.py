"""Interactive elements: buttons, selects, inputs, feedback. https://docs.slack.dev/reference/block-kit/block-elements"""

from collections.abc import Callable
from typing import Any

from bot.demo.workspace.model import Json
from bot.demo.workspace.validation.problems import Problems

Check = Callable[[Problems, Json, str], None]

MESSAGE_ELEMENTS = {"button", "static_select", "users_select", "overflow", "checkboxes", "radio_buttons", "datepicker"}
INPUT_ELEMENTS = {
    "plain_text_input",
    "number_input",
    "url_text_input",
    "email_text_input",
    "static_select",
    "multi_static_select",
    "users_select",
    "checkboxes",
    "radio_buttons",
    "datepicker",
}
CONTEXT_ACTION_ELEMENTS = {"feedback_buttons", "icon_button"}


def check_element(problems: Problems, element: Any, pointer: str, allowed: set[str]) -> None:
    """An element of one of the `allowed` types, whole and within its limits."""
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in allowed or kind not in _CHECKS:
        problems.add(pointer, f"unsupported type: {kind}")
        return
    if "action_id" in element:
        problems.string(element["action_id"], f"{pointer}/action_id", limit=255)
    if "confirm" in element:
        _confirm(problems, element["confirm"], f"{pointer}/confirm")
    if "placeholder" in element:
        problems.plain(element["placeholder"], f"{pointer}/placeholder", limit=150)
    _CHECKS[kind](problems, element, pointer)


def check_action_ids(problems: Problems, elements: list[Any], pointer: str) -> None:
    """`action_id` is unique within its block."""
    seen: set[str] = set()
    for index, element in enumerate(elements):
        action_id = element.get("action_id") if isinstance(element, dict) else None
        if action_id in seen:
            problems.add(f"{pointer}/{index}/action_id", f"`action_id` is not unique within the block: {action_id}")
        if action_id:
            seen.add(action_id)


def check_image(problems: Problems, image: Json, pointer: str) -> None:
    if problems.keys(image, pointer, required=("image_url", "alt_text")):
        problems.url(image["image_url"], f"{pointer}/image_url")
        problems.string(image["alt_text"], f"{pointer}/alt_text", limit=2000)


def _confirm(problems: Problems, confirm: Any, pointer: str) -> None:
    if not isinstance(confirm, dict):
        problems.add(pointer, "must be a confirm object")
        return
    if problems.keys(confirm, pointer, required=("title", "text", "confirm", "deny"), optional=("style",)):
        problems.plain(confirm["title"], f"{pointer}/title", limit=100)
        problems.text(confirm["text"], f"{pointer}/text", limit=300)
        problems.plain(confirm["confirm"], f"{pointer}/confirm", limit=30)
        problems.plain(confirm["deny"], f"{pointer}/deny", limit=30)
    if "style" in confirm:
        problems.choice(confirm["style"], f"{pointer}/style", ("primary", "danger"))


def _button(problems: Problems, button: Json, pointer: str) -> None:
    optional = ("url", "value", "style", "confirm", "accessibility_label")
    if problems.keys(button, pointer, required=("text", "action_id"), optional=optional):
        problems.plain(button["text"], f"{pointer}/text", limit=75)
    if "value" in button:
        problems.string(button["value"], f"{pointer}/value", limit=2000)
    if "url" in button:
        problems.url(button["url"], f"{pointer}/url")
    if "style" in button:
        problems.choice(button["style"], f"{pointer}/style", ("primary", "danger"))
    if "accessibility_label" in button:
        problems.string(button["accessibility_label"], f"{pointer}/accessibility_label", limit=75)


def _option(problems: Problems, option: Any, pointer: str) -> None:
    if not isinstance(option, dict):
        problems.add(pointer, "must be an option object")
        return
    if problems.keys(option, pointer, required=("text", "value"), optional=("description", "url")):
        problems.text(option["text"], f"{pointer}/text", limit=75)
        problems.string(option["value"], f"{pointer}/value", limit=150)
    if "description" in option:
        problems.text(option["description"], f"{pointer}/description", limit=75)


def _choices(problems: Problems, element: Json, pointer: str, *, limit: int, optional: tuple[str, ...]) -> None:
    keys = ("action_id", "confirm", "focus_on_load", *optional)
    if not problems.keys(element, pointer, required=("options",), optional=keys):
        return
    options = problems.items(element["options"], f"{pointer}/options", limit=limit)
    for index, option in enumerate(options):
        _option(problems, option, f"{pointer}/options/{index}")
    initial = element.get("initial_option", element.get("initial_options", []))
    for chosen in initial if isinstance(initial, list) else [initial]:
        if chosen not in options:
            problems.add(pointer, "an initial option must exactly match one of the options")


def _select(problems: Problems, element: Json, pointer: str) -> None:
    _choices(problems, element, pointer, limit=100, optional=("placeholder", "initial_option"))


def _multi_select(problems: Problems, element: Json, pointer: str) -> None:
    _choices(problems, element, pointer, limit=100, optional=("placeholder", "initial_options", "max_selected_items"))


def _checkboxes(problems: Problems, element: Json, pointer: str) -> None:
    _choices(problems, element, pointer, limit=10, optional=("initial_options",))


def _radio_buttons(problems: Problems, element: Json, pointer: str) -> None:
    _choices(problems, element, pointer, limit=10, optional=("initial_option",))


def _overflow(problems: Problems, element: Json, pointer: str) -> None:
    _choices(problems, element, pointer, limit=5, optional=())


def _users_select(problems: Problems, element: Json, pointer: str) -> None:
    problems.keys(element, pointer, optional=("action_id", "placeholder", "initial_user", "confirm", "focus_on_load"))


def _datepicker(problems: Problems, element: Json, pointer: str) -> None:
    problems.keys(element, pointer, optional=("action_id", "placeholder", "initial_date", "confirm", "focus_on_load"))


def _text_input(problems: Problems, element: Json, pointer: str) -> None:
    optional = ["action_id", "placeholder", "initial_value", "focus_on_load", "dispatch_action_config"]
    if element["type"] == "plain_text_input":
        optional += ["multiline", "min_length", "max_length"]
    if element["type"] == "number_input":
        optional += ["is_decimal_allowed", "min_value", "max_value"]
    problems.keys(element, pointer, optional=optional)
    for name in ("min_length", "max_length"):
        if name in element and not 0 <= element[name] <= 3000:
            problems.add(f"{pointer}/{name}", "must be between 0 and 3000")


def _feedback(problems: Problems, element: Json, pointer: str) -> None:
    if not problems.keys(element, pointer, required=("action_id", "positive_button", "negative_button")):
        return
    for name in ("positive_button", "negative_button"):
        button, where = element[name], f"{pointer}/{name}"
        if not isinstance(button, dict):
            problems.add(where, "must be a feedback button object")
        elif problems.keys(button, where, required=("text", "value"), optional=("accessibility_label",)):
            problems.plain(button["text"], f"{where}/text", limit=75)
            problems.string(button["value"], f"{where}/value", limit=2000)


def _icon_button(problems: Problems, element: Json, pointer: str) -> None:
    optional = ("value", "confirm", "accessibility_label", "visible_to_user_ids")
    if problems.keys(element, pointer, required=("icon", "text", "action_id"), optional=optional):
        problems.choice(element["icon"], f"{pointer}/icon", ("trash",))
        problems.plain(element["text"], f"{pointer}/text", limit=75)
    if "value" in element:
        problems.string(element["value"], f"{pointer}/value", limit=2000)


_CHECKS: dict[str, Check] = {
    "button": _button,
    "static_select": _select,
    "multi_static_select": _multi_select,
    "users_select": _users_select,
    "overflow": _overflow,
    "checkboxes": _checkboxes,
    "radio_buttons": _radio_buttons,
    "datepicker": _datepicker,
    "plain_text_input": _text_input,
    "number_input": _text_input,
    "url_text_input": _text_input,
    "email_text_input": _text_input,
    "feedback_buttons": _feedback,
    "icon_button": _icon_button,
}
