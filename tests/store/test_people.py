"""People who sign in to the page, links that show a car, and consents: the same on both databases."""

import pytest

from chargeport.store.access import Consent
from chargeport.store.protocols import Store
from chargeport.store.records import Application
from chargeport.store.sign_in import PageSession, ShareLink, User

AT = 1_777_629_598_000
APP = "client_app"


def session(key: str, user: str = "ann", *, used_at: int = AT, expires_at: int = AT + 100) -> PageSession:
    return PageSession(key, user, "Firefox", "192.0.2.1", AT, used_at, expires_at)


def consent(family: str = "one", *, expires_at: int = AT + 100, uri: str | None = None, user: str | None = None) -> Consent:
    return Consent(family=family, client_id=APP, expires_at=expires_at, redirect_uri=uri, user_uuid=user)


@pytest.fixture
async def known(store: Store) -> Store:
    await store.access.add_application(Application(client_id=APP, name="app", permissions=frozenset()), b"hash")
    for user in (User("bob", None, AT), User("ann", "hash", AT)):
        await store.sign_in.put_user(user)
    return store


async def test_a_user_can_get_another_password_and_goes_with_links_and_sessions(known: Store) -> None:
    await known.sign_in.put_user(User("ann", "other", AT + 1))
    assert [(each.name, each.password_hash) for each in await known.sign_in.users()] == [("ann", "other"), ("bob", None)]
    await known.sign_in.add_link(b"link", "ann", AT + 9)
    await known.sign_in.add_session(b"cookie", session("s1"))
    assert await known.sign_in.remove_user("ann")
    assert not await known.sign_in.remove_user("ann")
    assert await known.sign_in.user("ann") is None
    assert await known.sign_in.use_link(b"link", AT) is None
    assert await known.sign_in.session(b"cookie") is None


async def test_a_session_begins_only_while_its_user_is_known_and_has_the_password_that_was_shown(known: Store) -> None:
    assert await known.sign_in.add_session(b"1", session("s1"), "hash")
    assert await known.sign_in.add_session(b"2", session("s2", "bob"))
    await known.sign_in.put_user(User("ann", "other", AT + 1))
    assert not await known.sign_in.add_session(b"3", session("s3"), "hash")
    assert await known.sign_in.add_session(b"4", session("s4"), "other")
    await known.sign_in.remove_user("bob")
    assert not await known.sign_in.add_session(b"5", session("s5", "bob"))
    assert [each.id for each in await known.sign_in.sessions()] == ["s4"]


async def test_a_link_signs_in_once_and_in_time(known: Store) -> None:
    await known.sign_in.add_link(b"one", "ann", AT + 9)
    await known.sign_in.add_link(b"two", "ann", AT + 9)
    assert await known.sign_in.use_link(b"one", AT) == "ann"
    assert await known.sign_in.use_link(b"one", AT) is None
    await known.sign_in.add_link(b"three", "ann", AT + 9, replace=True)
    assert await known.sign_in.use_link(b"two", AT) is None
    assert await known.sign_in.use_link(b"three", AT + 10) is None


async def test_sessions_are_listed_by_their_last_use_and_end_by_user_or_alone(known: Store) -> None:
    for key, user, used_at in (("s1", "ann", AT), ("s2", "bob", AT + 2), ("s3", "ann", AT + 1)):
        await known.sign_in.add_session(key.encode(), session(key, user, used_at=used_at))
    await known.sign_in.use_session(b"s1", AT + 5, AT + 500)
    found = await known.sign_in.session(b"s1")
    assert found is not None
    assert (found.used_at, found.expires_at, found.browser) == (AT + 5, AT + 500, "Firefox")
    assert [each.id for each in await known.sign_in.sessions()] == ["s1", "s2", "s3"]
    assert [each.id for each in await known.sign_in.sessions("ann")] == ["s1", "s3"]
    assert await known.sign_in.end_sessions(session_id="s2") == 1
    assert await known.sign_in.end_sessions(user="ann") == 2
    assert await known.sign_in.sessions() == []


async def test_share_links_are_listed_by_age_until_they_are_removed(known: Store) -> None:
    links = [ShareLink(f"share_{number}", "my car", AT + number, AT + 9 if number else None) for number in (1, 0)]
    for link in links:
        await known.access.add_application(
            Application(client_id=link.client_id, name="share", permissions=frozenset()), b"hash"
        )
        await known.sign_in.add_share(link.client_id.encode(), link)
    assert await known.sign_in.shares() == links[::-1]
    assert await known.sign_in.share(b"share_1") == links[0]
    assert await known.sign_in.remove_share("share_1")
    assert not await known.sign_in.remove_share("share_1")
    assert await known.sign_in.share(b"share_1") is None


async def test_an_applications_redirects_are_kept_once(known: Store) -> None:
    await known.connect.add_redirects(APP, ["https://b.example/", "https://a.example/", "https://b.example/"])
    await known.connect.add_redirects(APP, ["https://a.example/"])
    assert sorted(await known.connect.redirects(APP)) == ["https://a.example/", "https://b.example/"]
    await known.connect.remove_redirects(APP, ["https://a.example/", "https://none.example/"])
    assert await known.connect.redirects(APP) == ["https://b.example/"]


async def test_a_code_is_used_up_once_and_a_second_use_ends_its_family(known: Store) -> None:
    await known.connect.add_consent(b"code", consent(uri="https://a.example/", user="a-user"), AT)
    await known.connect.add_consent(b"other", consent("two"), AT)
    assert await known.connect.exchange(b"code", b"token", b"refresh", consent(user="a-user"))
    refresh = await known.connect.consent(b"refresh")
    assert refresh is not None
    assert (refresh.redirect_uri, refresh.user_uuid, refresh.family) == (None, "a-user", "one")
    assert not await known.connect.exchange(b"code", b"token2", b"refresh2", consent())
    assert not await known.connect.exchange(b"refresh", b"token3", b"refresh3", consent())
    assert await known.connect.consent(b"refresh3") is None
    assert await known.connect.exchange(b"other", b"token4", b"refresh4", consent("two"))


async def test_codes_that_are_over_are_forgotten_when_another_is_kept(known: Store) -> None:
    await known.connect.add_consent(b"old", consent(expires_at=AT + 1), AT)
    await known.connect.add_consent(b"new", consent("two"), AT + 2)
    assert await known.connect.consent(b"old") is None
    assert await known.connect.consent(b"new") is not None
