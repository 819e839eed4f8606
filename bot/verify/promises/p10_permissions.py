"""P10: nothing can be used without a permission, and a viewer can change nothing."""

from __future__ import annotations

from agents.connecting.connector import discover_connectors
from agents.permission import GRANTS, Allowed, Denied, Permission, check, check_approval
from agents.remediation import discover_remediations
from agents.tool import Risk, tools_of
from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from handlers.slack.button import discover_buttons
from handlers.slack.command import discover_commands
from handlers.slack.modal import discover_modals
from handlers.web.api_resource import PUBLIC, discover_resources
from store.errors import LastAdmin
from store.people import users
from store.people.users import Role


class PermissionsPromise(Promise):
    id = "P10"
    title = "Role-based access control on every command, button, modal, route and tool"

    async def check(self, site: Site) -> Proved:
        slack = [*discover_commands().values(), *discover_buttons().values(), *discover_modals().values()]
        for thing in slack:
            asks = isinstance(getattr(thing, "permission", None), Permission)
            require(asks, f"{type(thing).__name__} asks for no permission")
        routes = [(r.name, o) for r in discover_resources().values() for o in r.operations]
        for name, operation in routes:
            require(
                operation.access == PUBLIC or isinstance(operation.access, Permission),
                f"{operation.method} {operation.path} of {name} asks for no permission",
            )
        for remediation in discover_remediations().values():
            require(Risk(remediation.risk) is not Risk.READ, f"{remediation.name} writes and says that it only reads")
        reads = [tool for c in discover_connectors().values() for tool in tools_of(c, source=c.name)]
        require(all(tool.risk is Risk.READ for tool in reads), "a tool that models may call writes")
        self._roles()
        await self._last_admin(site)
        return Proved(
            sentence="everything declares its permission; viewers change nothing; the last admin stays",
            observed=(
                f"{len(slack)} commands, buttons and modals",
                f"{len(routes)} routes, {len(reads)} tools, {len(discover_remediations())} remediations",
            ),
        )

    def _roles(self) -> None:
        may_change = set(Permission) - {Permission.READ, Permission.OWN}
        require(not may_change & GRANTS[Role.VIEWER], "viewers may change something")
        for risk in (Risk.LOW, Risk.MEDIUM, Risk.HIGH):
            refused = check_approval(Role.VIEWER, risk, is_requester=False)
            require(isinstance(refused, Denied), "viewers may approve")
        alone = check_approval(Role.ADMIN, Risk.HIGH, is_requester=True)
        require(isinstance(alone, Denied), "high risk needs no second person")
        require(isinstance(check(Role.MEMBER, Permission.CONNECT), Denied), "members may connect tools")
        require(isinstance(check(Role.ADMIN, Permission.CONNECT), Allowed), "admins may not connect tools")

    async def _last_admin(self, site: Site) -> None:
        try:
            async with site.db.tenant(site.one.id) as s:
                await users.set_role(s, site.one.people[Role.ADMIN].id, Role.VIEWER)
        except LastAdmin:
            return
        require(condition=False, sentence="the last admin of a tenant was demoted")


PROMISE = PermissionsPromise()
