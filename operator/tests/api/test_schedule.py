"""Schedules: what is taken, when it fires next, and how long it can be between two times. Times are those that Kubernetes would choose."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from hardened.api.schedule import cron, longest_gap, next_after

BERLIN, UTC_ZONE = "Europe/Berlin", "Etc/UTC"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("@daily", "five fields", id="a macro"),
        pytest.param("@reboot", "five fields", id="at the start of what"),
        pytest.param("0 30 3 * * *", "five fields", id="seconds"),
        pytest.param("30 3 * *", "five fields", id="four"),
        pytest.param("", "five fields", id="none"),
        pytest.param("30  3 * * *", "five fields", id="two spaces"),
        pytest.param("30 3 * * *\n", "five fields", id="a line"),
        pytest.param("TZ=UTC 30 3 * * *", "five fields", id="a zone"),
        pytest.param("0 0 * * 7", "five fields", id="Sunday is 0"),
        pytest.param("60 * * * *", "five fields", id="no such minute"),
        pytest.param("* 24 * * *", "five fields", id="no such hour"),
        pytest.param("0 0 0 * *", "five fields", id="no such day"),
        pytest.param("0 0 1 13 *", "five fields", id="no such month"),
        pytest.param("*/0 * * * *", "five fields", id="no step"),
        pytest.param("0 0 ? * *", "five fields", id="a question mark"),
        pytest.param("0 0 L * *", "five fields", id="the last day"),
        pytest.param("0 0 * * mon", "five fields", id="small letters"),
        pytest.param("٣٠ 3 * * *", "five fields", id="other digits"),
        pytest.param(",".join(["0"] * 60) + " * * * *", "five fields", id="more than can be read"),
        pytest.param("5-3 * * * *", "from the lower", id="a range backwards"),
        pytest.param("0 0 * * FRI-MON", "from the lower", id="by names"),
        pytest.param("0 0 31 2 *", "never run", id="31 February"),
        pytest.param("0 0 30,31 FEB *", "never run", id="neither is 30"),
        pytest.param("0 0 31 4,6,9,11 *", "never run", id="31 April"),
    ],
)
def test_what_never_runs_or_is_no_schedule_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cron(text)


@pytest.mark.parametrize(
    ("text", "zone", "now", "expected"),
    [
        pytest.param("30 3 * * *", UTC_ZONE, "2026-01-02T03:29:59Z", "2026-01-02T03:30:00Z", id="later today"),
        pytest.param("30 3 * * *", UTC_ZONE, "2026-01-02T03:30:00Z", "2026-01-03T03:30:00Z", id="strictly after"),
        pytest.param("30 3 * * *", BERLIN, "2026-01-02T03:30:00Z", "2026-01-03T02:30:00Z", id="by another clock"),
        pytest.param("30 3 * * *", "Asia/Tokyo", "2026-01-02T00:00:00Z", "2026-01-02T18:30:00Z", id="whose day is another"),
        pytest.param("30 2 * * *", BERLIN, "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z", id="in spring half past two is skipped"),
        pytest.param("30 2 * * *", BERLIN, "2026-10-25T00:29:00Z", "2026-10-25T00:30:00Z", id="in autumn it comes"),
        pytest.param("30 2 * * *", BERLIN, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", id="and comes again"),
        pytest.param("0 0 29 2 *", UTC_ZONE, "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z", id="29 February"),
        pytest.param("0 0 13 * FRI", UTC_ZONE, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", id="either day"),
        pytest.param("0 0 13 * *", UTC_ZONE, "2026-01-01T00:00:00Z", "2026-01-13T00:00:00Z", id="the day of the month alone"),
        pytest.param("0 0 * * SUN", UTC_ZONE, "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z", id="Sunday"),
        pytest.param("0 0 */2 * MON", UTC_ZONE, "2026-01-03T00:00:00Z", "2026-01-05T00:00:00Z", id="a star with a step restricts"),
        pytest.param("0 0 31 2 MON", UTC_ZONE, "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z", id="the day that comes"),
        pytest.param("5/20 1,3 * JAN-MAR *", UTC_ZONE, "2026-01-01T01:06:00Z", "2026-01-01T01:25:00Z", id="from a value on"),
        pytest.param("0 12 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-05T01:30:00Z", id="half an hour back"),
    ],
)
def test_the_next_time_is_that_of_kubernetes(text: str, zone: str, now: str, expected: str) -> None:
    assert next_after(cron(text), zone, at(now)) == at(expected)


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        pytest.param("30 3 * * *", UTC_ZONE, timedelta(days=1), id="a day"),
        pytest.param("30 3 * * *", BERLIN, timedelta(hours=25), id="the day on which clocks are set back"),
        pytest.param("30 2 * * *", BERLIN, timedelta(hours=47), id="the day on which it is skipped"),
        pytest.param("* * * * *", BERLIN, timedelta(minutes=1), id="each minute"),
        pytest.param("*/7 * * * *", UTC_ZONE, timedelta(minutes=7), id="the end of the hour is shorter"),
        pytest.param("0 9-17 * * *", UTC_ZONE, timedelta(hours=16), id="the night"),
        pytest.param("0 0 * * MON-FRI", UTC_ZONE, timedelta(days=3), id="the weekend"),
        pytest.param("0 0 1 * *", UTC_ZONE, timedelta(days=31), id="the longest month"),
        pytest.param("0 0 29 2 *", UTC_ZONE, timedelta(days=1461), id="four years"),
        pytest.param("0 0 1 1 *", UTC_ZONE, timedelta(days=366), id="a leap year"),
    ],
)
def test_the_longest_gap_has_what_clocks_and_calendars_do(text: str, zone: str, expected: timedelta) -> None:
    assert longest_gap(cron(text), zone) == expected


def test_times_and_gaps_are_what_looking_at_each_minute_finds() -> None:
    """Of schedules drawn at random, in a zone with both changes of the clock, for a year."""
    rng, zone = random.Random(1), ZoneInfo(BERLIN)
    begin = at("2026-01-01T00:00:00Z")
    minutes = [begin + timedelta(minutes=number) for number in range(366 * 24 * 60)]
    walls = [(moment, moment.astimezone(zone)) for moment in minutes]
    for _ in range(6):
        hour, minute = rng.choice(["*/6", "2", "1-3", "0,12"]), rng.choice(["0", "30", "15,45"])
        day, weekday = rng.choice(["*", "1", "13", "*/9"]), rng.choice(["*", "0", "MON-WED"])
        schedule = cron(f"{minute} {hour} {day} * {weekday}")
        found = [m for m, w in walls if w.minute in schedule.minutes and w.hour in schedule.hours and schedule.has_day(w.date())]
        now, told = begin - timedelta(seconds=1), []
        for _ in found[:400]:
            following = next_after(schedule, BERLIN, now)
            assert following
            told.append(following)
            now = following
        assert told == found[:400], str(schedule)
        assert longest_gap(schedule, BERLIN) >= max(later - earlier for earlier, later in pairwise(found)), str(schedule)
