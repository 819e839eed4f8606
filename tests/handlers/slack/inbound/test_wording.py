from handlers.slack.inbound.wording import said_lines


def said(**parts: object) -> list[str]:
    return said_lines(**{"text": None, "blocks": [], "attachments": [], **parts})  # type: ignore[arg-type]


def test_blocks_add_what_the_text_leaves_out() -> None:
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "High error rate"}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Service*\npayments"}]},
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Silence"}}]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "region"}, {"type": "raw_text", "text": "eu"}]]},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "p99 &gt; 2 s"}]},
    ]
    assert said(text="New alert: High error rate", blocks=blocks) == [
        "New alert: High error rate",
        "*Service*\npayments",
        "region | eu",
        "p99 > 2 s",
    ]


def test_what_a_person_typed_is_said_once() -> None:
    line = [
        {"type": "user", "user_id": "U0AUTOHEAL"},
        {"type": "text", "text": " is "},
        {"type": "text", "text": "checkout", "style": {"bold": True}},
        {"type": "text", "text": " down? "},
        {"type": "emoji", "name": "fire"},
    ]
    blocks = [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": line}]}]
    text = "<@U0AUTOHEAL> is *checkout* down? :fire:"
    assert said(text=text, blocks=blocks) == [text]


def test_attachments_are_read_with_fields_and_footers() -> None:
    attachment = {
        "pretext": "Alert",
        "title": "HighLatency",
        "fields": [{"title": "service", "value": "payments", "short": True}],
        "footer": "since 14:05",
    }
    assert said(attachments=[attachment]) == ["Alert", "HighLatency", "service: payments", "since 14:05"]
    assert said(attachments=[{"fallback": "only this"}]) == ["only this"]


def test_a_forwarded_message_is_read() -> None:
    inner = {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "payments answers 500"}}]}
    forwarded = {"is_share": True, "author_name": "alertbot", "text": "", "message_blocks": [{"message": inner}]}
    assert said(text="what is this?", attachments=[forwarded]) == ["what is this?", "alertbot", "payments answers 500"]


def test_files_are_read_or_named_as_unread() -> None:
    files = [
        {"name": "err.log", "mimetype": "text/plain", "preview": "ERROR payments timeout", "lines_more": 12},
        {"name": "graph.png", "mimetype": "image/png"},
    ]
    assert said(text="why?", files=files) == [
        "why?",
        "File err.log:\nERROR payments timeout\n(12 more lines of err.log are not read.)",
        "(The file graph.png is not read.)",
    ]
