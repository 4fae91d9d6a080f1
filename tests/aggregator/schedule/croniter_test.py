"""Compares occurrences with those of croniter (Debian: python3-croniter), a cron of other hands, over random
expressions, zones and instants. Where the rules of the two differ, the difference has a name in CLASSES, a predicate
that says where it applies, and croniter's own answer to our rule, which must then be ours. Everything else must agree.

usage: croniter_test.py OCCURRENCES [SEED]     OCCURRENCES is the program made from occurrences.cc
"""

import bisect
import datetime
import random
import re
import subprocess
import sys
import time
from collections import Counter

try:
    import pytz
    from croniter import croniter
    from croniter.croniter import CroniterBadCronError, CroniterBadDateError
    from zoneinfo import ZoneInfo, available_timezones
except ImportError as error:
    print(f"SKIPPED: {error}; wanted: python3-croniter, python3-tz")
    sys.exit(0)

EXPRESSIONS = 6000
BROKEN = 4000
FOLLOWING = 3  # occurrences that are asked for, one after another
SEED = 20260227
SECONDS = range(0, 2_100_000_000)  # 1970 to 2036

UTC = datetime.timezone.utc
DAY = 86_400
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
WEEKDAYS = "sun mon tue wed thu fri sat".split()
# minute, hour, day of month, month, day of week: lowest, highest, names of the lowest and those after it
FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, MONTHS), (0, 7, WEEKDAYS))


# ---- random expressions


def random_value(pick, field, value):
    low, _, names = FIELDS[field]
    if value - low < len(names) and pick.random() < 0.4:
        name = names[value - low]
        return pick.choice((name, name.upper(), name.title()))
    return pick.choice(("%d", "%d", "%d", "%02d")) % value


def random_item(pick, field):
    low, high, _ = FIELDS[field]
    first, last = sorted((pick.randint(low, high), pick.randint(low, high)))
    step = "/%d" % pick.randint(1, max(2, (high - low) // 2))
    one = random_value(pick, field, first)
    span = one + "-" + random_value(pick, field, last if field != 4 or last < 7 else 7)
    return pick.choice((one, one, one, span, span + step, "*" + step, one + step))


def random_field(pick, field):
    if pick.random() < (0.3, 0.3, 0.5, 0.6, 0.5)[field]:
        return "*"
    items = [random_item(pick, field) for _ in range(pick.choice((1, 1, 1, 2, 3)))]
    if pick.random() < 0.02:
        items.insert(pick.randint(0, len(items)), "*")
    if pick.random() < 0.02:
        items = ["%d-%d" % FIELDS[field][:2]]
    return ",".join(items)


def random_expression(pick):
    if pick.random() < 0.02:
        return pick.choice("@hourly @daily @midnight @weekly @monthly @yearly @annually @Daily".split())
    return " ".join(random_field(pick, field) for field in range(5))


def broken_expression(pick):
    """One that may be none: some characters of it are others, or missing, or too many."""
    text = list(random_expression(pick))
    for _ in range(pick.choice((1, 1, 2, 3))):
        at = pick.randrange(len(text))
        text[at : at + pick.choice((0, 1, 1, 2))] = pick.choice(list("0123456789*,/-  @ntfr") + [""])
        if not text:
            text = ["*"]
    return " ".join("".join(text).split())


# ---- the clocks of zones


class Zone:
    """A zone by Python's own reading of the time zone database, which knows nothing of ours."""

    def __init__(self, name):
        self.name = name
        self.zone = ZoneInfo(name)
        self.changes = []  # first second of each new offset
        step = 7 * DAY
        for begin in range(SECONDS.start, SECONDS.stop, step):
            if self.offset(begin) != self.offset(begin + step):
                self.changes.append(self.change_between(begin, begin + step))

    def offset(self, at):
        return datetime.datetime.fromtimestamp(at, self.zone).utcoffset()

    def clock(self, at):
        return datetime.datetime.fromtimestamp(at, self.zone).replace(tzinfo=None)

    def change_between(self, before, after):
        old = self.offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if self.offset(middle) == old else (before, middle)
        return after

    def changes_between(self, since, until):
        return self.changes[bisect.bisect_left(self.changes, since) : bisect.bisect_right(self.changes, until)]

    def due(self, wall):
        """When an occurrence that a clock without changes has at `wall` is due: the rule of ours about changes."""
        first = wall.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        if first.astimezone(self.zone).replace(tzinfo=None) == wall:
            return int(first.timestamp())
        near = int(wall.replace(tzinfo=UTC).timestamp())
        return next(at for at in self.changes if at >= near - DAY and self.clock(at) >= wall > self.clock(at - 1))


# ---- what croniter says


def of_zone(expression, zone, after, **options):
    start = datetime.datetime.fromtimestamp(after, UTC).astimezone(pytz.timezone(zone.name))
    return int(croniter(expression, start, **options).get_next(float))


def of_clock_without_changes(expression, zone, after, **options):
    wall = zone.clock(after) - datetime.timedelta(hours=25)
    times = croniter(expression, wall, **options)
    while True:
        at = zone.due(times.get_next(datetime.datetime))
        if at > after:
            return at


def day_fields(expression):
    fields = expression.split()
    return (fields[2], fields[4]) if len(fields) == 5 else ("*", "*")


def by_each_day(ask, expression):
    """The first that comes of those on any one day of the month. Raises CroniterBadDateError if none does."""
    days = croniter.expand(expression)[0][2]
    if "*" in days or expression.startswith("@"):
        return ask(expression, day_or=False)
    minute, hour, _, month, week_days = expression.split()
    found = []
    for day in days:
        try:
            found.append(ask(f"{minute} {hour} {day} {month} {week_days}", day_or=False))
        except CroniterBadDateError:
            pass
    if not found:
        raise CroniterBadDateError(expression)
    return min(found)


def by_our_rules(ask, expression):
    """The answer to crontab(5)'s rule of days: asked for both fields at once, or for each by itself."""
    month_days, week_days = day_fields(expression)
    if month_days.startswith("*") or week_days.startswith("*"):
        return by_each_day(ask, expression)
    minute, hour, _, month, _ = expression.split()
    of_week = ask(f"{minute} {hour} * {month} {week_days}")
    try:
        return min(of_week, by_each_day(ask, f"{minute} {hour} {month_days} {month} *"))
    except CroniterBadDateError:
        return of_week


# ---- where the rules differ


def star_with_more(expression, zone, after, until):
    """crontab(5): a field of days that begins with `*` does not restrict, so that `*/2` and a day of the week must both
    match. croniter asks whether all days are named."""
    return any(field.startswith("*") and field != "*" for field in day_fields(expression))


def days_named_all(expression, zone, after, until):
    """`1-31` names all days of the month and restricts: where a day of the week is named beside it, every day matches.
    To croniter it is a `*`, and so is a list with a `*` at a later place."""
    month_days, week_days = croniter.expand(expression)[0][2::2]
    spelt = day_fields(expression)
    return any("*" in days and not field.startswith("*") for days, field in zip((month_days, week_days), spelt))


def hour_left_out(expression, zone, after, until):
    """A clock is put forward on the way to the occurrence, or in the hours around. croniter counts hours from the
    instant that it is asked about, and may be off by the change, or pass over what is left out. Ours comes at the
    change."""
    return any(zone.offset(at) > zone.offset(at - 1) for at in zone.changes_between(after - DAY, until + DAY))


def hour_doubled(expression, zone, after, until):
    """A clock is put back likewise. croniter may be off by the change, or name both of what comes twice. Ours comes the
    first time."""
    return any(zone.offset(at) < zone.offset(at - 1) for at in zone.changes_between(after - DAY, until + DAY))


def seconds_in_offset(expression, zone, after, until):
    """Liberia's clock was 44 minutes and 30 seconds off until 1972. pytz, by which croniter reads zones, knows whole
    minutes."""
    return any(zone.offset(at).total_seconds() % 60 != 0 for at in (after, until))


def month_too_short(expression, zone, after, until):
    """Of `1,31`, asked at the end of February, croniter goes to the 31st, which is a day of March, and passes over
    the 1st."""
    days = croniter.expand(expression)[0][2]
    month = zone.clock(after).replace(day=1)
    length = ((month + datetime.timedelta(days=32)).replace(day=1) - month).days
    return "*" not in days and len(days) > 1 and max(days) > length


def no_such_day(expression, zone, after, until):
    """Of the 31st of April or a Monday, croniter finds that the one never comes, and gives up."""
    _, _, days, months, _ = croniter.expand(expression)[0][:5]
    longest = max((LONGEST[month - 1] for month in months if month != "*"), default=31)
    return "*" not in days and min(days) > longest


CLASSES = {
    "star with more": star_with_more,
    "all days named in figures": days_named_all,
    "hour left out": hour_left_out,
    "hour doubled": hour_doubled,
    "seconds in the offset": seconds_in_offset,
    "day beyond the end of the month": month_too_short,
    "day that no month has": no_such_day,
}
# Where these apply, croniter is asked about a clock that is never changed, and that is laid on the zone by `Zone.due`.
CLASSES_OF_ZONES = {"hour left out", "hour doubled", "seconds in the offset"}


def sixth_field(expression):
    """croniter takes a sixth field, of seconds."""
    return len(expression.split()) == 6


def own_letters(expression):
    """croniter takes `h` and `r` for a value by hash or by chance, `l` for the last day of a month."""
    return re.search(r"(^|[ ,])[hlr](?![a-z])", expression.lower()) is not None


def double_nought(expression):
    """Ours takes `fri-00` for `fri-0`, a week that ends on its Sunday; croniter takes `0` and `sun` alone for that."""
    return re.search(r"-0{2,}(?![0-9])", expression.split()[-1]) is not None


CLASSES_OF_TEXTS = {
    "sixth field": sixth_field,
    "letters of its own": own_letters,
    "Sunday as 00": double_nought,
}


def named_difference(expression, zone, after, ours):
    """The names of the differences that explain ours, if croniter, asked by our rules, has the same answer."""
    names = [name for name, applies in CLASSES.items() if applies(expression, zone, after, ours)]
    if not names:
        return None
    source = of_clock_without_changes if CLASSES_OF_ZONES & set(names) else of_zone
    answer = by_our_rules(lambda text, **options: source(text, zone, after, **options), expression)
    return " + ".join(names) if answer == ours else None


# ---- the comparison


def ask_ours(program, cases):
    lines = "".join(f"{after} {FOLLOWING} {zone.name} {expression}\n" for expression, zone, after in cases)
    answers = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(answers) == len(cases), "a line is answered by a line"
    return answers


def random_cases(pick):
    names = sorted(name for name in available_timezones() if re.fullmatch(r"[A-Z][a-z]+/[A-Z].*|UTC", name))
    zones = [Zone(name) for name in pick.sample(names, 60)]
    zones += [Zone(name) for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")]
    for _ in range(EXPRESSIONS):
        zone = pick.choice(zones)
        after = pick.choice(SECONDS)
        if zone.changes and pick.random() < 0.5:
            after = max(0, pick.choice(zone.changes) + pick.choice((0, -1, pick.randint(-2 * DAY, 2 * DAY))))
        yield random_expression(pick), zone, after


def theirs_or_none(expression, zone, after):
    try:
        return of_zone(expression, zone, after)
    except CroniterBadDateError:
        return None


def never_comes(expression, zone, after):
    try:
        by_our_rules(lambda text, **options: of_zone(text, zone, after, **options), expression)
    except CroniterBadDateError:
        return True
    return False


def compare_case(case, answer, counts):
    """The faults found, as texts."""
    expression, zone, after = case
    if answer.startswith("refused: "):
        counts["never comes"] += 1
        return [] if never_comes(expression, zone, after) else [f"only ours is {answer}"]
    faults = []
    for ours in map(int, answer.split()):
        theirs = theirs_or_none(expression, zone, after)
        name = "equal" if theirs == ours else named_difference(expression, zone, after, ours)
        counts[name] += 1
        if name is None:
            faults.append(f"after {after}: {ours}, croniter: {theirs}")
        after = ours
    return faults


def compare_occurrences(pick, program):
    cases = list(random_cases(pick))
    counts = Counter()
    faults = []
    for case, answer in zip(cases, ask_ours(program, cases)):
        faults += [f"`{case[0]}` in {case[1].name}: {fault}" for fault in compare_case(case, answer, counts)]
    return counts, faults


def taken_by_croniter(expression):
    try:
        croniter.expand(expression)
    except (CroniterBadCronError, ValueError, KeyError, IndexError, TypeError):
        return False
    return True


def compare_broken(pick, program):
    """What the one takes for an expression the other must take."""
    utc = Zone("UTC")
    cases = [(broken_expression(pick), utc, 0) for _ in range(BROKEN)]
    counts = Counter()
    faults = []
    for case, answer in zip(cases, ask_ours(program, cases)):
        ours = not answer.startswith("refused: ")
        theirs = taken_by_croniter(case[0])
        if ours == theirs:
            counts["taken by both" if ours else "refused by both"] += 1
        else:
            name = next((name for name, applies in CLASSES_OF_TEXTS.items() if applies(case[0])), None)
            if name is None and theirs and never_comes(*case):
                name = "never comes"
            counts[name] += 1
            if name is None:
                faults.append(f"`{case[0]}`: ours: {answer}; croniter {'takes' if theirs else 'refuses'} it")
    return counts, faults


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    failed = False
    for compare in (compare_occurrences, compare_broken):
        begin = time.monotonic()
        counts, faults = compare(random.Random(seed), sys.argv[1])
        print(f"{compare.__name__}, seed {seed}, {time.monotonic() - begin:.1f} s:")
        for name, count in counts.most_common():
            print(f"  {count:6} {name}")
        for fault in faults[:20]:
            print(f"  FAULT {fault}")
        failed = failed or bool(faults)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
