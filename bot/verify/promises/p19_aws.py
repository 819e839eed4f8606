"""P19: the reference deployment on AWS."""

from __future__ import annotations

from bot.verify.promise import NeedsAttestation, NotApplicable, Promise, Seen
from bot.verify.site import Site


class OnAwsPromise(Promise):
    id = "P19"
    title = "AWS reference deployment: private subnets, encryption at rest, alarms, image scanning"

    async def check(self, site: Site) -> Seen:
        if site.settings.keys != "aws-kms":
            return NotApplicable(
                setting=f"AUTOHEAL_KEYS={site.settings.keys}",
                sentence="this deployment does not say that it runs on AWS",
            )
        return NeedsAttestation(sentence="Subnets, alarms and scans of the account cannot be seen from here.")


PROMISE = OnAwsPromise()
