"""P13: content goes to the model's provider only, and requests go only where the operator allows."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from agents.connecting.operator_file import load
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import AgentError, NotPermitted
from bot.opening import egress_to
from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require

_INSIDE: Final = (
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:1/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://2130706433/",
    "http://0x7f.1/",
)
_MODEL: Final = "https://api.anthropic.com"


class EgressPromise(Promise):
    id = "P13"
    title = "No training on customers' data; one provider of models; requests leave by an allow-list"

    async def check(self, site: Site) -> Proved:
        settings = site.settings
        allow = load(settings.operator_file).egress if settings.operator_file else EgressPolicy()
        outbound = Outbound(EgressPolicy())
        try:
            for url in _INSIDE:
                try:
                    await outbound.get(url)
                except NotPermitted:
                    continue
                except AgentError:
                    pass
                require(condition=False, sentence=f"a request to {urlsplit(url).hostname} was not refused")
        finally:
            await outbound.close()
        base = settings.anthropic_base_url or _MODEL
        check_model = egress_to(base)
        check_model(f"{base}/v1/messages")
        try:
            check_model("https://example.org/v1/messages")
        except NotPermitted:
            pass
        else:
            require(condition=False, sentence="the model's client may reach another host")
        exceptions = [*map(str, allow.allow_networks), *allow.allow_hosts]
        return Proved(
            sentence=f"requests to inside addresses are refused; models are asked at {urlsplit(base).hostname} only",
            observed=(
                f"{len(_INSIDE)} spellings of inside addresses",
                f"exceptions in the operator's file: {', '.join(exceptions) or 'none'}",
            ),
            not_observed=("what the model's provider does with what it is sent: its contract says",),
        )


PROMISE = EgressPromise()
