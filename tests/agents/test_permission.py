"""Who may do what: the whole table."""

import pytest

from agents.permission import GRANTS, Allowed, Denied, Permission, check, check_approval, who_may_approve
from agents.tool import Risk
from store.people.users import Role


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("permission", list(Permission))
def test_a_refusal_names_the_role_and_who_may(role: Role, permission: Permission) -> None:
    answer = check(role, permission)
    assert isinstance(answer, Allowed) == (permission in GRANTS[role])
    if isinstance(answer, Denied):
        assert role.value in answer.reason
        assert "member" in answer.reason or "admin" in answer.reason


def test_viewers_only_read_and_mind_their_own_and_admins_carry_everything() -> None:
    assert GRANTS[Role.VIEWER] == {Permission.READ, Permission.OWN}
    assert GRANTS[Role.VIEWER] < GRANTS[Role.MEMBER] < GRANTS[Role.ADMIN] == frozenset(Permission)


@pytest.mark.parametrize(
    ("role", "risk", "is_requester", "may"),
    [
        (Role.VIEWER, Risk.LOW, False, False),
        (Role.MEMBER, Risk.MEDIUM, True, True),
        (Role.MEMBER, Risk.HIGH, False, False),
        (Role.ADMIN, Risk.HIGH, False, True),
        (Role.ADMIN, Risk.HIGH, True, False),
    ],
)
def test_high_risk_needs_an_admin_who_did_not_ask(role: Role, risk: Risk, is_requester: bool, may: bool) -> None:  # noqa: FBT001 -- a table
    assert isinstance(check_approval(role, risk, is_requester=is_requester), Allowed) == may


def test_the_card_says_who_may() -> None:
    assert who_may_approve(Risk.MEDIUM) == "Members and admins"
    assert "not the requester" in who_may_approve(Risk.HIGH)
