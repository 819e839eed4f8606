"""Keys derived from one secret of the deployment."""

from store.people.account_keys import AccountKeys


def test_each_purpose_has_a_key_of_its_own_and_none_shows() -> None:
    keys = AccountKeys.derived_from(b"s" * 32)
    assert len({keys.pepper, keys.index, keys.links}) == 3
    assert repr(keys) == "AccountKeys()"
    assert keys == AccountKeys.derived_from(b"s" * 32)


def test_an_index_knows_an_address_in_every_spelling_and_only_under_its_secret() -> None:
    keys, others = AccountKeys.derived_from(b"s" * 32), AccountKeys.derived_from(b"t" * 32)
    assert keys.email_index("Mia@Acme.example ") == keys.email_index("mia@acme.example")
    assert keys.email_index("mia@acme.example") != others.email_index("mia@acme.example")
    assert "mia" not in keys.email_index("mia@acme.example")


def test_a_links_code_binds_its_parts_and_their_borders() -> None:
    keys = AccountKeys.derived_from(b"s" * 32)
    assert keys.link_code("ab", "c") != keys.link_code("a", "bc")
