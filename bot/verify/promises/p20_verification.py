"""P20: compliance is verified regularly, and the report can be checked elsewhere."""

from __future__ import annotations

import itertools
import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Final

from bot.verify.promise import Promise, Proved
from bot.verify.report import BadReport, canonical, check_report, make_report, sign_report
from bot.verify.reports import path_of, times
from bot.verify.site import Site, require

_DAILY: Final = timedelta(days=2)
_LOOKED_BACK: Final = timedelta(days=30)


class VerificationPromise(Promise):
    id = "P20"
    title = "Compliance is verified regularly, and the result is signed"

    async def check(self, site: Site) -> Proved:
        self._signature(site)
        kept = times(path_of(site.settings))
        now = site.clock()
        gaps = [later - earlier for earlier, later in itertools.pairwise([*kept, now]) if now - later < _LOOKED_BACK]
        longest = max(gaps, default=timedelta(0))
        unseen: tuple[str, ...] = () if kept else ("that it is done regularly: this is the first report",)
        unseen += () if longest <= _DAILY else (f"{longest.days} days without a report, as when nothing was running",)
        return Proved(
            sentence=f"a changed report is refused; {len(kept)} reports are kept",
            observed=("a report, signed, changed, checked",),
            not_observed=unseen,
        )

    def _signature(self, site: Site) -> None:
        report = sign_report(make_report([], at=site.clock(), identity={}, cleaned_up=True), site.signer)
        with tempfile.TemporaryDirectory(prefix="autoheal-verify-") as name:
            file, key = Path(name) / "report.json", Path(name) / "key.pem"
            key.write_bytes(site.signer.public_pem)
            file.write_bytes(canonical(report))
            check_report(file, key)
            file.write_text(json.dumps({**report, "report": {**report["report"], "at": "2000-01-01T00:00:00+00:00"}}))
            try:
                check_report(file, key)
            except BadReport:
                return
        require(condition=False, sentence="a changed report passes for signed")


PROMISE = VerificationPromise()
