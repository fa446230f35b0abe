from __future__ import annotations

import datetime as dt
from pathlib import Path

from inland.clinic.book import Appointment, Book, KeyReused, Taken, Wish

SATURDAY = dt.datetime(2026, 11, 21, 9, 0)
WISH = Wish("dentist", "2026-11-23", "10:00", "Smith")


def test_one_key_books_once_and_always_gives_the_same_answer() -> None:
    book = Book(":memory:")
    first = book.book(WISH, "k", SATURDAY)
    assert isinstance(first, Appointment)
    assert book.book(WISH, "k", SATURDAY) == first
    assert len(book.appointments(10)) == 1
    book.close()


def test_one_key_for_another_wish_is_refused() -> None:
    book = Book(":memory:")
    book.book(WISH, "k", SATURDAY)
    other = Wish("dentist", "2026-11-24", "10:00", "Smith")
    assert book.book(other, "k", SATURDAY) == KeyReused()
    book.close()


def test_a_slot_is_had_by_one_caller_and_the_other_is_offered_the_nearest() -> None:
    book = Book(":memory:")
    book.book(WISH, "k", SATURDAY)
    refused = book.book(WISH, "l", SATURDAY)
    monday = "2026-11-23"
    assert refused == Taken(((monday, "09:00"), (monday, "09:30"), (monday, "10:30")))
    other_department = Wish("general practice", monday, "10:00", "Doe")
    assert isinstance(book.book(other_department, "m", SATURDAY), Appointment)
    book.close()


def test_a_refused_key_can_book_once_the_slot_is_free_again() -> None:
    book = Book(":memory:")
    first = book.book(WISH, "k", SATURDAY)
    assert isinstance(first, Appointment)
    assert isinstance(book.book(WISH, "l", SATURDAY), Taken)
    cancelled = book.cancel(first.reference)
    assert cancelled is not None
    assert cancelled.cancelled
    assert book.cancel(first.reference) == cancelled
    assert isinstance(book.book(WISH, "l", SATURDAY), Appointment)
    book.close()


def test_weekends_and_the_past_have_no_slots_and_the_next_working_day_is_offered() -> None:
    book = Book(":memory:")
    today = SATURDAY.date()
    assert book.free("dentist", today, SATURDAY) == ()
    monday_noon = dt.datetime(2026, 11, 23, 12, 0)
    assert book.free("dentist", monday_noon.date(), monday_noon)[0] == "12:30"
    refused = book.book(Wish("dentist", "2026-11-21", "10:00", "x"), "k", SATURDAY)
    assert isinstance(refused, Taken)
    assert {date for date, _ in refused.alternatives} == {"2026-11-23"}
    past = book.book(Wish("dentist", "2020-01-06", "10:00", "x"), "k", SATURDAY)
    assert isinstance(past, Taken)
    assert {date for date, _ in past.alternatives} == {"2026-11-23"}
    book.close()


def test_two_processes_on_one_file_never_book_one_slot_twice(tmp_path: Path) -> None:
    one, other = Book(tmp_path / "book.db"), Book(tmp_path / "book.db")
    assert isinstance(one.book(WISH, "k", SATURDAY), Appointment)
    assert isinstance(other.book(WISH, "l", SATURDAY), Taken)
    assert other.book(WISH, "k", SATURDAY) == one.book(WISH, "k", SATURDAY)
    one.close()
    other.close()


def test_appointments_survive_a_restart(tmp_path: Path) -> None:
    book = Book(tmp_path / "book.db")
    found = book.book(WISH, "k", SATURDAY)
    book.close()
    again = Book(tmp_path / "book.db")
    assert again.appointments(10) == [found]
    again.close()
