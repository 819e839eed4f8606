import pytest

from handlers.slack.inbound.intent import read_intent

HELP = ("", "  ", "help", "Hi!", "hello")
STATUS = ("status", "Summary?", "*status*")
STOP = (
    *("stop", ": stop", ", stop", "please stop", "Stop please!", "*stop*", "stop it", "can you stop this please"),
    *("nevermind", "never mind."),
)
NOTHING = (
    *("thanks", "thank you so much!", "thx", ":tada:", ":+1:", "\U0001f389", "great job", "cc", "cc <@U1>", "ok"),
    "ok, thanks!",
)
ASK = (
    *("stop the deploys", "don't stop", "why did checkout stop?", "not good", "is it ok?", "checkout :fire:"),
    *("thanks, and why is payments slow?", "no, look at payments", "ok, roll back checkout"),
)


@pytest.mark.parametrize(
    ("intent", "texts"), [("help", HELP), ("status", STATUS), ("stop", STOP), ("nothing", NOTHING), ("ask", ASK)]
)
def test_only_a_whole_message_is_a_command(intent: str, texts: tuple[str, ...]) -> None:
    assert {text: read_intent(text) for text in texts} == dict.fromkeys(texts, intent)
