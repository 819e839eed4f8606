"""Code hosts, package registries, build servers and trackers."""

FORMATS: dict[str, tuple[str, ...]] = {
    "github_token": (
        r"gh[posur]_[A-Za-z0-9_.-]{30,}",
        r"github_pat_[A-Za-z0-9_]{36,}",
    ),
    "gitlab_token": (
        r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct|oas|wt)-[A-Za-z0-9_.=-]{16,}",
        r"\bGR1348941[A-Za-z0-9_-]{20,}",
        r"_gitlab_session=[0-9a-z]{32}",
    ),
    "npm_token": (r"npm_[A-Za-z0-9]{36}",),
    "pypi_token": (r"pypi-A[A-Za-z0-9_-]{16,}",),
    "rubygems_key": (r"rubygems_[0-9a-f]{48}",),
    "clojars_token": (r"CLOJARS_[A-Za-z0-9]{60}",),
    "artifactory_key": (
        r"\bAKC[a-z][A-Za-z0-9]{9,}",
        r"\bcmVmd[A-Za-z0-9]{55,}",
        r"\bAP[0-9][A-Za-z0-9]{8,}\b",
    ),
    "docker_token": (r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}",),
    "circleci_token": (r"\bCCI(?:PAT|PRJ)_[A-Za-z0-9_]{40,}",),
    "buildkite_token": (r"\bbk(?:ua|at|ct|aj)_[A-Za-z0-9]{30,}",),
    "octopus_key": (r"\bAPI-[A-Z0-9]{26}\b",),
    "harness_key": (r"\b[ps]at\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}",),
    "jira_token": (r"\b(?:MD|Mz|Nj|OT|OD|Nz|NT|ND|MT|Mj)[A-Za-z0-9+/]{42}\b",),
    "atlassian_token": (
        r"ATATT3[A-Za-z0-9_=-]{50,}",
        r"ATCTT3[A-Za-z0-9_=-]{50,}",
        r"\bATBB[A-Za-z0-9]{24,}\b",
    ),
    "linear_key": (r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}",),
    "postman_key": (r"PMAK-[A-Za-z0-9]{24}-[A-Za-z0-9]{34}",),
    "readme_key": (r"rdme_[a-z0-9]{70}",),
    "prefect_key": (r"\bpn[ub]_[A-Za-z0-9]{36}\b",),
    "sourcegraph_token": (r"\bsgp_(?:(?:[0-9a-fA-F]{16}|local)_)?[0-9a-fA-F]{40}",),
    "sonar_token": (r"\bsq[apu]_[0-9a-f]{40}",),
    "nuget_key": (r"\boy2[a-z0-9]{43}\b",),
    "gitea_token": (r"\bgta_[A-Za-z0-9]{40}\b",),
}
