"""The people and channels that every workspace starts with."""

from bot.demo.workspace.model import Channel, WorkspaceUser

TEAM_ID = "T0AUTOHEAL"
TEAM_NAME = "Northwind Shop"
TEAM_DOMAIN = "northwind-shop"
OTHER_TEAM_ID = "T0ACMECORP"
APP_ID = "A0AUTOHEAL"
BOT_ID = "B0AUTOHEAL"
BOT_USER_ID = "U0AUTOHEAL"
PAGER_BOT_ID = "B0PAGERBOT"


def seed_users(bot_name: str) -> list[WorkspaceUser]:
    """Everybody, the app's own user last."""
    return [
        WorkspaceUser(
            id="U0OLGA",
            name="olga",
            real_name="Olga Brandt",
            title="Workspace owner",
            team_id=TEAM_ID,
            color="#8a4b9e",
            is_admin=True,
            is_owner=True,
        ),
        WorkspaceUser(
            id="U0MIA", name="mia", real_name="Mia Castell", title="On call", team_id=TEAM_ID, color="#1b7f79"
        ),
        WorkspaceUser(
            id="U0RAJ", name="raj", real_name="Raj Patel", title="Engineer", team_id=TEAM_ID, color="#b5561c"
        ),
        WorkspaceUser(
            id="U0GUS",
            name="gus",
            real_name="Gus Lind",
            title="Guest",
            team_id=TEAM_ID,
            color="#7a6a58",
            is_restricted=True,
        ),
        WorkspaceUser(
            id="U0PAGER",
            name="pagerbot",
            real_name="Pagerbot",
            title="Alerts",
            team_id=TEAM_ID,
            color="#c0392b",
            is_bot=True,
        ),
        WorkspaceUser(
            id="U0EVE",
            name="eve",
            real_name="Eve Moreau",
            title="Acme Corp",
            team_id=OTHER_TEAM_ID,
            color="#34568b",
            is_stranger=True,
        ),
        WorkspaceUser(
            id=BOT_USER_ID,
            name=bot_name,
            real_name=bot_name.capitalize(),
            title="App",
            team_id=TEAM_ID,
            color="#2f6feb",
            is_bot=True,
        ),
    ]


def seed_channels(users: list[WorkspaceUser]) -> list[Channel]:
    """The app is a member of #incidents, #checkout-team, #shared-with-acme and the private #leads, not of #general."""
    own = {user.id for user in users if user.team_id == TEAM_ID and user.id != BOT_USER_ID}
    full = {user.id for user in users if user.id in own and not user.is_restricted}
    strangers = {user.id for user in users if user.is_stranger}
    bot = {BOT_USER_ID}
    channels = [
        Channel(id="C0INCIDENTS", name="incidents", topic="Production incidents", members=own | bot),
        Channel(id="C0CHECKOUT", name="checkout-team", topic="The checkout service", members=full | bot),
        Channel(id="C0GENERAL", name="general", topic="Everybody", members=set(own)),
        Channel(id="C0LEADS", name="leads", topic="Private", is_private=True, members={"U0OLGA", "U0MIA"} | bot),
        Channel(
            id="C0SHARED",
            name="shared-with-acme",
            topic="With Acme Corp",
            is_ext_shared=True,
            members=full | strangers | bot,
        ),
    ]
    people = [user for user in users if not user.is_bot and not user.is_stranger]
    return channels + [
        Channel(id=f"D0{user.name.upper()}", name=user.name, is_im=True, user=user.id, members={user.id} | bot)
        for user in people
    ]
