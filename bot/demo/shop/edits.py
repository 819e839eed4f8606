"""Changes to the shop's source, as its team would commit them: ordinary ones, and those which break something.

The texts are in `template_edits/<group>/`: a first line `role file: message`, then pieces `--- was` and `--- is`.
Each piece replaced occurs exactly once in its file of the template. Messages are neutral: nothing but the diff and
its effect tells a harmless change from a harmful one.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from bot.demo.shop.plan import ROLES, Role

FOLDER = Path(__file__).parent / "template_edits"
PIECE = re.compile(r"^--- was\n(.*?)\n--- is\n(.*?)\n(?=--- was\n|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Edit:
    role: Role
    file: str
    message: str
    changes: tuple[tuple[str, str], ...]


def read_edit(path: Path) -> Edit:
    """Raises ValueError when the file does not have the form of an edit."""
    head, _, body = path.read_text().partition("\n")
    place, _, message = head.partition(": ")
    role, _, file = place.partition(" ")
    changes = tuple((was, now) for was, now in PIECE.findall(body))
    if role not in ROLES or not message or not changes:
        raise ValueError(f"{path} is not an edit")
    return Edit(role=role, file=file, message=message, changes=changes)


def read_group(name: str) -> tuple[Edit, ...]:
    """The edits of a group, in the order of their file names."""
    return tuple(read_edit(path) for path in sorted((FOLDER / name).glob("*.txt")))


HISTORY = read_group("history")  # the work of the days before the shop starts
ORDINARY = read_group("ordinary")  # deployed while it runs, and harmless
SLOW = read_group("slow")  # SQL that reads a whole table for every row it returns
CUTS = read_group("cut")  # pools and time-outs that are far too small
MISTAKES = read_group("mistake")  # each raises for some customers
KEEPERS = read_group("keeping")  # what these keep is never let go
(SETTLE_RARELY,) = read_group("delayed")  # takes some seconds until it shows
INNOCENT = {edit.role: edit for edit in read_group("innocent")}  # on the path of the symptom, plausible, harmless

# Settings that may change at any time and matter to nobody: when ORDINARY is used up, their numbers still move.
TUNABLE: dict[Role, tuple[str, str]] = {
    "entry": ("banner_rotation_s", "Adjust banner rotation"),
    "catalogue": ("featured_brands", "Adjust featured brands"),
    "orders": ("summary_days", "Adjust summaries"),
    "payments": ("receipt_days", "Adjust receipts"),
}
