"""What a model may ask Prometheus, and that it is asked of declared services alone."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.connecting.promql import Bound, bounded, concerns
from agents.errors import BadArguments

BOUND = Bound(label="job", values=("shop-cart", "till.eu"))
HELD = r'job=~"shop\\-cart|till\\.eu"'


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("up", '{%s, __name__="up"}'),
        ("{__name__=~'a.*'}", '{%s, __name__=~"a.*"}'),
        ('up{job="stranger"}', '{%s, __name__="up", job="stranger"}'),
        ("up{}", '{%s, __name__="up"}'),
        ('{"till.sales", "site.name"!~`x\\d+`,}', '{%s, __name__="till.sales", "site.name"!~"x\\\\d+"}'),
        ('rate(a:b_total{code=~"5.."}[5m])', 'rate({%s, __name__="a:b_total", code=~"5.."}[5m])'),
        ("sum(rate(a[1m30s])) by (le, code)", 'sum by (le, code) (rate({%s, __name__="a"}[1m30s]))'),
        ("sum without(x) (a)", 'sum without (x) ({%s, __name__="a"})'),
        (
            "histogram_quantile(0.95, sum by (le) (rate(b_bucket[5m]))) * 1000",
            '(histogram_quantile(0.95, sum by (le) (rate({%s, __name__="b_bucket"}[5m]))) * 1000)',
        ),
        ("topk(3, a offset 1h)", 'topk (3, {%s, __name__="a"} offset 1h)'),
        ("max_over_time(rate(a[5m])[1h:1m])", 'max_over_time(rate({%s, __name__="a"}[5m])[1h:1m])'),
        ("1 - a / on(x) group_left b", '(1 - ({%s, __name__="a"} / on (x) group_left () {%s, __name__="b"}))'),
        ("a / 1024 / 1024 > 93", '((({%s, __name__="a"} / 1024) / 1024) > 93)'),
        ("quantile_over_time(.5, a[1h])", 'quantile_over_time(0.5, {%s, __name__="a"}[1h])'),
        ("-a + b - c", '((-{%s, __name__="a"} + {%s, __name__="b"}) - {%s, __name__="c"})'),
        ("sum(a)", 'sum ({%s, __name__="a"})'),
        ("sum", '{%s, __name__="sum"}'),
    ],
)
def test_what_is_understood_is_sent_for_declared_services_alone(asked: str, sent: str) -> None:
    assert bounded(asked, BOUND) == sent.replace("%s", HELD)


@pytest.mark.parametrize(
    "asked",
    [
        'label_replace(up, "job", "till.eu", "", "")',
        'label_join(up, "job", "", "instance")',
        "vector(93)",
        "scalar(up)",
        "time()",
        "absent(up)",
        'count_values("job", up)',
        "93",
        "-93",
        "1 + 1",
        "up * 0",
        "up * 0 + 93",
        "up / up * 93",
        "up + 93",
        "93 - up",
        "93 / up",
        "up ^ 0",
        "up % 2",
        "clamp_min(up, 93)",
        "up or vector(93)",
        "up or stranger",
        "up and stranger",
        "up @ 0",
        "up[5m]",
        "rate(up)",
        "rate(rate(up[5m])[5m])",
        "sum(up[5m])",
        "up offset -1h",
        "up[999y]",
        'up{job="a" or job="b"}',
        'up{job="a"',
        'up{job=~"a"} # comment',
        'up{job="\\x61"}',
        "up} or {",
        "",
        "(" * 900 + "up" + ")" * 900,
        "sum by (job) up",
        "{up}",
        "up up",
        "up 5m",
        "\x00",
    ],
)
def test_what_renames_invents_or_looks_past_is_refused_with_what_can_be_asked(asked: str) -> None:
    with pytest.raises(BadArguments, match="promql"):
        bounded(asked, BOUND)


ATOMS = ("up", "a_total", 'x{job="stranger"}', "{__name__=~`.+`}", "5m", "[5m]", "93", "100", "1", '"', "`", "\\", "#")
WORDS = (*ATOMS, *"(){}[],:=<>+-*/ \n", "rate", "sum", "by", "on", "label_replace", "vector", "or", "offset", "!~", "@")


@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
def test_every_selector_that_is_sent_holds_the_bound_outside_of_any_text(asked: str) -> None:
    try:
        sent = bounded(asked, BOUND)
    except BadArguments:
        return
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', sent)
    selectors = re.findall(r"\{[^{}]*\}", bare)
    assert selectors
    assert all(selector.startswith('{job=~""') for selector in selectors)
    assert bare.count("{") == bare.count("}") == len(selectors)
    assert not re.search(r"\b(label_replace|vector|or)\b", bare)
    assert bounded(sent, BOUND).count(HELD) >= sent.count(HELD), "what is sent is understood"


@given(st.one_of(st.text(max_size=40), st.just("up{a='\ud800'}")))
def test_anything_is_read_or_refused(asked: str) -> None:
    with contextlib.suppress(BadArguments):
        assert bounded(asked, BOUND).encode()


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        ("sum by (job) (rate(errors_total[5m])) > 3", True),
        ('errors_total{job="till.eu"} > 1', True),
        ('errors_total{job=~"till.*|other"} > 1', True),
        ('errors_total{job="stranger"} > 1', False),
        ('errors_total{job!~"till.*|shop.*"} > 1', False),
        ('errors_total{job="till.eu"} / on (x) errors_total{job="stranger"}', False),
        ('errors_total{job=~"("}', False),
        ('label_replace(up{job="till.eu"}, "a", "b", "c", "d")', False),
    ],
)
def test_a_rule_concerns_us_when_each_of_its_selectors_may_be_about_a_declared_service(
    rule: str,
    shown: bool,  # noqa: FBT001 - a table of answers
) -> None:
    assert concerns(rule, BOUND) is shown


def test_a_label_with_dots_is_quoted() -> None:
    assert bounded("up", Bound(label="service.name", values=("a",))) == '{"service.name"=~"a", __name__="up"}'
