"""Settings of files in all forms as flat keys, and what differs between two versions."""

import pytest

from agents.evidence.changes.configuration import compare_settings, is_configuration, likely_first

MANIFESTS = """
kind: Deployment
metadata: {name: web}
spec:
  containers:
    - name: app
      resources: {limits: {memory: 64Mi}}
---
kind: Service
metadata: {name: web}
spec: {ports: [80, 443]}
"""


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("a.toml", "[pool]\nsize = 5\nhosts = ['a', 'b']", {"pool.size": "5", "pool.hosts": "[a, b]"}),
        (
            "a.json",
            '{"pool": {"size": 5, "on": true, "none": null}}',
            {"pool.size": "5", "pool.on": "true", "pool.none": "null"},
        ),
        ("a.yaml", "pool:\n  size: 5\n", {"pool.size": "5"}),
        (
            "k8s/web.yml",
            MANIFESTS,
            {
                "Deployment/web.kind": "Deployment",
                "Deployment/web.metadata.name": "web",
                "Deployment/web.spec.containers[app].name": "app",
                "Deployment/web.spec.containers[app].resources.limits.memory": "64Mi",
                "Service/web.kind": "Service",
                "Service/web.metadata.name": "web",
                "Service/web.spec.ports": "[80, 443]",
            },
        ),
        ("a.ini", "[pool]\nSize = 5", {"pool.Size": "5"}),
        (".env.production", "# no\nexport POOL=5\nURL='http://x'\n", {"POOL": "5", "URL": "http://x"}),
        ("app.properties", "pool.size=5\n! no\n", {"pool.size": "5"}),
    ],
)
def test_each_form_is_read(path: str, text: str, found: dict[str, str]) -> None:
    read = compare_settings({path: text}, None)
    assert {one.key: one.value for one in read.settings} == found
    assert {one.kind for one in read.settings} == {""}
    assert read.unread == ()


def test_what_differs_comes_first_and_says_what_became_of_it() -> None:
    now = {"a.toml": "same = 1\nsize = 5\nnew = 2", "b.toml": "x = 1"}
    before = {"a.toml": "same = 1\nsize = 50\ngone = 3"}
    found = compare_settings(now, before).settings
    assert [(one.path, one.key, one.before, one.value, one.kind) for one in found] == [
        ("a.toml", "size", "50", "5", "changed"),
        ("a.toml", "new", None, "2", "added"),
        ("a.toml", "gone", "3", None, "removed"),
        ("b.toml", "x", None, "1", "added"),
        ("a.toml", "same", "1", "1", "same"),
    ]


def test_two_secrets_are_not_called_the_same() -> None:
    text = {"a.env": "PASSWORD=[redacted:password]"}
    assert [one.kind for one in compare_settings(text, text).settings] == [""]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.toml", "= 5"),
        ("a.yaml", "a: {{ .Values.x }}\nb: ["),
        ("a.json", "{"),
        ("a.ini", "no section"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_named_and_not_compared(path: str, text: str) -> None:
    read = compare_settings({path: text}, {})
    assert read.settings == ()
    assert len(read.unread) == 1
    assert path in read.unread[0]


def test_a_bomb_is_read_to_its_cap() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))
    read = compare_settings({"a.yaml": f"a0: &a0 {{x: 1}}\n{levels}"}, None)
    assert len(read.settings) <= 2_000
    assert "only its first" in read.unread[0]


def test_a_list_that_holds_itself_ends() -> None:
    assert len(compare_settings({"a.yaml": "&a [*a]"}, None).settings) == 1


def test_what_builds_or_tests_a_program_is_no_configuration_of_it() -> None:
    wanted = ["services/a/config.toml", "k8s/a.yaml", ".env", "values.yaml", "conf/app.properties"]
    others = ["package.json", "pyproject.toml", "tests/config.toml", ".github/workflows/deploy.yml", "a.py", "README"]
    assert [path for path in (*wanted, *others) if is_configuration(path)] == wanted
    assert min(wanted, key=likely_first) in (".env", "values.yaml")
