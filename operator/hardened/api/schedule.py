"""Schedules: when something is done again and again, in five fields, as a CronJob of Kubernetes reads them.

A time fits when each field has it, by the wall clock of the schedule's zone. So a time that the clock skips in spring is left out that day,
and one that it shows twice in autumn fits twice. Where both the day of the month and that of the week are restricted, either may fit.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import combinations, pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MOST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class _Field:
    """One of the five. value: the pattern of a number; names: words for the values from `least` on."""

    word: str
    least: int
    most: int
    value: str
    names: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """Of the whole field. A step is of the whole range, of one that is given, or of all from a value on."""
        name = f"({'|'.join(self.names)})"
        words = f"|{name}(-{name})?" if self.names else ""
        item = rf"(\*|{self.value}(-{self.value})?{words})(/[1-9][0-9]?)?"
        return rf"{item}(,{item})*"

    def number(self, text: str) -> int:
        return self.least + self.names.index(text) if text in self.names else int(text)


_FIELDS: Final = (
    _Field("minute", 0, 59, "[1-5]?[0-9]"),
    _Field("hour", 0, 23, "(1?[0-9]|2[0-3])"),
    _Field("day of the month", 1, 31, "([1-9]|[12][0-9]|3[01])"),
    _Field("month", 1, 12, "([1-9]|1[0-2])", _MONTHS),
    _Field("day of the week", 0, 6, "[0-6]", _DAYS),
)
_LONGEST: Final = 64
SCHEDULE_PATTERN: Final = f"^{' '.join(field.pattern for field in _FIELDS)}$"
#: Kubernetes looks no further ahead than five years; a 29 February comes within four but for the turn of most centuries.
_FAR: Final = 8 * 366
#: What gaps are measured in: two leap years, and whatever its zone's clock does in between.
_SAMPLE_FROM, _SAMPLE_DAYS = date(2023, 1, 1), 8 * 365 + 2

#: In words, after `must be`.
SCHEDULE_WORDS: Final = (
    "five fields with one space between them: minute, hour, day of the month, month, and day of the week from 0 (Sunday) to 6, "
    "such as 30 3 * * * or 0 */6 * * MON-FRI"
)
_BACKWARDS = "a range of a schedule goes from the lower to the higher value: write 6,0 for Saturday and Sunday"
_NEVER = "this day comes in none of these months, so it would never run"
_NAMES_BACKWARDS = "|".join(f"{later}-{sooner}" for names in (_MONTHS, _DAYS) for sooner, later in combinations(names, 2))
#: CEL. To split the text twice, and look at each part, would be estimated at more than the server allows.
_FORWARDS_CEL = f"self.findAll('[0-9]+-[0-9]+').all(r, int(r.split('-')[0]) <= int(r.split('-')[1])) && !self.matches('{_NAMES_BACKWARDS}')"
_LATE, _FEBRUARY, _SHORT = r"3[01](-3[01])?(/[0-9]+)?", "(2|FEB)", "(2|4|6|9|11|FEB|APR|JUN|SEP|NOV)"
_COMES_CEL = (
    f"!self.matches(r'^\\S+ \\S+ {_LATE}(,{_LATE})* {_FEBRUARY}(,{_FEBRUARY})* \\*$') && "
    f"!self.matches(r'^\\S+ \\S+ 31(,31)* {_SHORT}(,{_SHORT})* \\*$')"
)


@dataclass(frozen=True)
class Cron:
    """A schedule that was read. minutes, hours: sorted; the others are what fits."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Whether one of `days` and `weekdays` is enough."""

    def __str__(self) -> str:
        return self.text

    def has_day(self, day: date) -> bool:
        """Whether it fires on a day, unless the clock skips its times."""
        if day.month not in self.months:
            return False
        fits = (day.day in self.days, (day.weekday() + 1) % 7 in self.weekdays)
        return any(fits) if self.either_day else all(fits)


def cron(text: str) -> Cron:
    """A schedule as it is written. Raises ValueError, with a sentence that goes on from the field's name.

    Examples: "30 3 * * *" -> at half past three, each day; "@daily", "0 0 * * 7", "0 0 31 2 *" -> ValueError.
    """
    if len(text) > _LONGEST or not re.fullmatch(SCHEDULE_PATTERN.removesuffix("$"), text):
        raise ValueError(f"must be {SCHEDULE_WORDS}")
    parts = text.split(" ")
    minutes, hours, days, months, weekdays = (_values(field, part) for field, part in zip(_FIELDS, parts, strict=True))
    # A step makes a star one restriction among others, as in the library of Kubernetes (robfig/cron).
    is_either = not any(item == "*" or item == "*/1" for part in (parts[2], parts[4]) for item in part.split(","))
    found = Cron(text, tuple(sorted(minutes)), tuple(sorted(hours)), days, months, weekdays, is_either)
    if not is_either and not any(day <= _MOST_DAYS[month - 1] for month in months for day in days):
        raise ValueError(_NEVER)
    return found


def _values(field: _Field, text: str) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if span == "*":
            least, most = field.least, field.most
        else:
            first, _, last = span.partition("-")
            least = field.number(first)
            most = field.number(last) if last else field.most if step else least
        if least > most:
            raise ValueError(_BACKWARDS)
        found.update(range(least, most + 1, int(step or 1)))
    return frozenset(found)


def next_after(schedule: Cron, zone: str, now: datetime) -> datetime | None:
    """The first time after `now`, which is timezone-aware, in UTC; None where there is none for years. zone: a name as IANA has it."""
    clock = ZoneInfo(zone)
    today = now.astimezone(clock).date()
    for ahead in range(-1, _FAR):
        day = today + timedelta(days=ahead)
        if schedule.has_day(day):
            found = next((at for at in _times(schedule, clock, day) if at > now), None)
            if found:
                return found
    return None


@lru_cache(maxsize=1024)
def longest_gap(schedule: Cron, zone: str) -> timedelta:
    """The longest time from one run to the next, with what the zone's clock makes longer: a time that it skips, or an hour more.

    Examples: every day -> 25 h in a zone whose clocks are set back, 24 h in UTC; at half past two -> two days less one hour where that is
    skipped; on 29 February -> four years.
    """
    clock, last, longest = ZoneInfo(zone), None, _within_a_day(schedule)
    # Of one that runs each day, one year is like another.
    is_daily = len(schedule.months) == 12 and all(schedule.has_day(_SAMPLE_FROM + timedelta(days=ahead)) for ahead in range(31))
    for ahead in range(366 if is_daily else _SAMPLE_DAYS):
        day = _SAMPLE_FROM + timedelta(days=ahead)
        times = _to_compare(schedule, clock, day) if schedule.has_day(day) else []
        if times and last:
            longest = max(longest, times[0] - last)
        if times:
            longest = max(longest, *(later - earlier for earlier, later in pairwise(times)), timedelta()) if len(times) > 2 else longest
            last = times[-1]
    return longest


def _times(schedule: Cron, clock: ZoneInfo, day: date) -> list[datetime]:
    """All times of a day, in order, in UTC. Those that the clock shows twice are two."""
    found = {at for hour in schedule.hours for minute in schedule.minutes for at in _moments(clock, day, hour, minute)}
    return sorted(found)


def _moments(clock: ZoneInfo, day: date, hour: int, minute: int) -> Iterator[datetime]:
    wall = datetime.combine(day, time(hour, minute))
    found = {wall.replace(tzinfo=clock, fold=fold).astimezone(UTC) for fold in (0, 1)}
    yield from sorted(at for at in found if at.astimezone(clock).replace(tzinfo=None, fold=0) == wall)


def _to_compare(schedule: Cron, clock: ZoneInfo, day: date) -> list[datetime]:
    """The first and the last time of a day; all of them, where its clock is changed."""
    offsets = {datetime.combine(day + timedelta(days=ahead), time(12), clock).utcoffset() for ahead in (-1, 0, 1)}
    if len(offsets) > 1:
        return _times(schedule, clock, day)
    ends = ((schedule.hours[0], schedule.minutes[0]), (schedule.hours[-1], schedule.minutes[-1]))
    return [at for hour, minute in ends for at in _moments(clock, day, hour, minute)]


def _within_a_day(schedule: Cron) -> timedelta:
    """The longest time between two runs of a day whose clock is not changed."""
    minutes = [hour * 60 + minute for hour in schedule.hours for minute in schedule.minutes]
    return timedelta(minutes=max((later - earlier for earlier, later in pairwise(minutes)), default=0))


@dataclass(frozen=True)
class ScheduleField:
    """A schedule in a model: written as text, a Cron inside."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(str)
        return core_schema.no_info_plain_validator_function(self._parsed, serialization=written)

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        rules = [{"rule": _FORWARDS_CEL, "message": _BACKWARDS}, {"rule": _COMES_CEL, "message": _NEVER}]
        return {"type": "string", "pattern": SCHEDULE_PATTERN, "maxLength": _LONGEST, "x-kubernetes-validations": rules}

    @staticmethod
    def _parsed(value: Any) -> Cron:
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "must be a string")
        try:
            return cron(value)
        except ValueError as error:
            raise PydanticCustomError("schedule", "{message}", {"message": str(error)}) from None


_ZONE_PATTERN: Final = r"^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$"
_ZONE_WORDS: Final = "must be the name of a time zone, such as Europe/Berlin or Etc/UTC"


@dataclass(frozen=True)
class ZoneField:
    """A time zone by its name in the IANA database. The API server has its own copy of that, and fails the rule for one that it lacks."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._parsed)

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        rule = "self != 'Local' && timestamp('2026-01-01T00:00:00Z').getFullYear(self) > 2000"
        validation = {"rule": rule, "message": _ZONE_WORDS}
        return {"type": "string", "pattern": _ZONE_PATTERN, "maxLength": 64, "x-kubernetes-validations": [validation]}

    @staticmethod
    def _parsed(value: Any) -> str:
        if isinstance(value, str) and len(value) <= 64 and re.fullmatch(_ZONE_PATTERN.removesuffix("$"), value) and _is_known(value):
            return value
        raise PydanticCustomError("zone", "{message}", {"message": _ZONE_WORDS})


@lru_cache(maxsize=1024)
def _is_known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder
        return False
    return zone != "Local"
