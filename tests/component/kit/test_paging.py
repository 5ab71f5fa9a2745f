"""Pages: every document once, in a stable order, by cursors that cannot be made up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mock_store import mock_client
from notes_service import SORT, Note

from kit.ids import new_id
from kit.paging import PageRequest, SortFields, fetch_page
from kit.problems import InvalidRequest
from kit.store import Collection, Store
from kit.store.codec import to_row

pytestmark = pytest.mark.anyio
KEY = b"c" * 32
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def store() -> Store:
    store = mock_client().database("omnitrade_notes")
    await store.prepare([Note])
    return store


@pytest.fixture
async def notes(store: Store) -> Collection[Note]:
    for i in range(25):
        at = START + timedelta(milliseconds=i // 4)  # four notes of each moment
        await add(store, Note(id=new_id(), title=f"n{i:02}", owner=f"o{i % 2}", created_at=at, updated_at=at))
    return store.collection(Note)


async def add(store: Store, note: Note) -> None:
    await store.rows(Note.collection_name()).insert(to_row(note))


async def walk(notes: Collection[Note], where: dict[str, Any], limit: int, sort: str | None = None) -> list[str]:
    titles: list[str] = []
    cursor: str | None = None
    for _ in range(100):
        page, cursor = await fetch_page(notes, where, PageRequest(limit, cursor, sort), SORT, KEY)
        titles += [note.title for note in page]
        if cursor is None:
            return titles
        assert len(page) == limit
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 3, 4, 24, 25, 26, 200])
@pytest.mark.parametrize("sort", ["createdAt", "-createdAt", "title", "-title", "noteId", "-noteId", None])
async def test_pages_hold_every_document_once_in_order(notes: Collection[Note], limit: int, sort: str | None) -> None:
    expected = [f"n{i:02}" for i in range(25)]
    descending = sort is None or sort.startswith("-")
    assert await walk(notes, {}, limit, sort) == (expected[::-1] if descending else expected)


async def test_filter_holds_on_every_page(notes: Collection[Note]) -> None:
    assert await walk(notes, {"owner": "o1"}, 5, "title") == [f"n{i:02}" for i in range(1, 25, 2)]


async def test_document_added_behind_the_cursor_moves_no_other(store: Store, notes: Collection[Note]) -> None:
    first, cursor = await fetch_page(notes, {}, PageRequest(10, None, "title"), SORT, KEY)
    await add(store, Note(id=new_id(), title="n00a", owner="o0", created_at=START, updated_at=START))
    second, _ = await fetch_page(notes, {}, PageRequest(10, cursor, "title"), SORT, KEY)
    assert [note.title for note in (*first, *second)] == [f"n{i:02}" for i in range(20)]


async def test_empty_list_has_no_cursor(notes: Collection[Note]) -> None:
    assert await fetch_page(notes, {"owner": "nobody"}, PageRequest(), SORT, KEY) == ([], None)


async def a_cursor(notes: Collection[Note]) -> str:
    _, cursor = await fetch_page(notes, {"owner": "o1"}, PageRequest(3, None, "title"), SORT, KEY)
    assert cursor is not None
    return cursor


@pytest.mark.parametrize(
    ("where", "sort", "key"),
    [
        ({"owner": "o0"}, "title", KEY),
        ({}, "title", KEY),
        ({"owner": "o1"}, "-title", KEY),
        ({"owner": "o1"}, "createdAt", KEY),
        ({"owner": "o1"}, None, KEY),
        ({"owner": "o1"}, "title", b"d" * 32),
    ],
)
async def test_cursor_is_good_for_its_own_list_only(
    notes: Collection[Note], where: dict[str, Any], sort: str | None, key: bytes
) -> None:
    cursor = await a_cursor(notes)
    with pytest.raises(InvalidRequest) as caught:
        await fetch_page(notes, where, PageRequest(3, cursor, sort), SORT, key)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/cursor", "bad-cursor")]


async def test_made_up_cursor_is_refused(notes: Collection[Note]) -> None:
    good = await a_cursor(notes)
    others = [
        "",
        "x",
        "made-up",
        "eyJhIjoxfQ.AAAA",
        "é",
        "A" * 1000,
        good[:-4],
        good + "AAAA",
        "A" + good[1:],
        good[1:],
    ]
    for cursor in others:
        with pytest.raises(InvalidRequest):
            await fetch_page(notes, {"owner": "o1"}, PageRequest(3, cursor, "title"), SORT, KEY)


@pytest.mark.parametrize("sort", ["passwordHash", "--title", "title,createdAt", "$where", "_id", "-"])
async def test_other_sort_fields_are_refused(notes: Collection[Note], sort: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await fetch_page(notes, {}, PageRequest(3, None, sort), SORT, KEY)
    assert caught.value.errors[0].pointer == "/sort"


def test_sort_by_the_moment_of_making_is_the_default() -> None:
    assert SortFields().resolve(None) == ("createdAt", -1)
    assert SortFields().resolve("createdAt") == ("createdAt", 1)
