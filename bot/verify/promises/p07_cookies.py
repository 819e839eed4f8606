"""P7: one cookie, for being signed in; nothing of third parties."""

from __future__ import annotations

from bot.verify.promise import NotApplicable, Promise, Proved, Seen
from bot.verify.promises.p01_account import plant_account
from bot.verify.site import Site, require
from bot.verify.web import signed_in


class CookiesPromise(Promise):
    id = "P7"
    title = "Session cookies are strictly for authentication; nothing of third parties"

    async def plant(self, site: Site) -> None:
        if _listens(site):
            await plant_account(site)

    async def check(self, site: Site) -> Seen:
        if not _listens(site):
            return NotApplicable(setting="AUTOHEAL_WEB", sentence="no page and no API is served, so no cookie is set")
        async with signed_in(site, site.one) as client:
            cookies = site.planted["set-cookie"]
            answer = await client.get("/api/session")
        require(len(cookies) == 1, f"signing in sets {len(cookies)} cookies")
        name, _, rest = cookies[0].partition("=")
        flags = {part.strip().lower() for part in rest.split(";")[1:]}
        require(name.startswith("__Host-"), "the session cookie has no __Host- prefix")
        for flag in ("secure", "httponly", "samesite=lax", "path=/"):
            require(flag in flags, f"the session cookie is not {flag}")
        require(answer.status_code == 200, "the cookie does not sign in")
        require("set-cookie" not in answer.headers, "a request that signs nobody in sets a cookie")
        policy = answer.headers.get("content-security-policy", "")
        require("default-src 'none'" in policy, "the API's answers may load something")
        return Proved(
            sentence="signing in sets one __Host- cookie, secure and out of reach of scripts; answers load nothing",
            observed=("signing in through the web side as it is served",),
        )


def _listens(site: Site) -> bool:
    return site.settings.web or site.settings.mode == "http"


PROMISE = CookiesPromise()
