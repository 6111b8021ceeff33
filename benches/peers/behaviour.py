"""What the behaviour benchmark's peers share: the flat files, the windows, and the form of the
answers. Timing and the report are SegBench's.

Knows the data's form. Does not know how any peer answers. No peer keeps a table that holds an
answer already, such as totals by day; tables by user and day, and bitmaps of users by day, which
serve any window, are fair.
"""

import datetime
import json
from pathlib import Path

import numpy as np

import segbench
from segbench import Portraits

DAY = 86_400
FIELDS = {
    "user": np.uint32,
    "time": np.uint32,
    "kind": np.uint8,
    "amount": np.uint32,
    "category": np.uint8,
    "channel": np.uint8,
}
CHUNK_EVENTS = 8_000_000
# In the order of their codes.
KINDS = ["login", "view", "cart", "purchase"]
LOGIN, VIEW, CART, PURCHASE = range(4)
# `shoes`.
SHOES = 0
LAST_EVENTS = 20
# The windows that a portrait counts each kind of event in.
PORTRAIT_DAYS = [7, 30, 90]


class Flat:
    """The events as the generator's flat files, mapped and not read."""

    def __init__(self, directory):
        self.directory = Path(directory)
        meta = json.loads((self.directory / "meta.json").read_text())
        self.users, self.events, self.now = meta["users"], meta["events"], meta["now"]
        self.categories, self.channels = meta["categories"], meta["channels"]
        self.genders, self.portrayed = meta["genders"], meta["portrayed"]
        assert meta["kinds"] == KINDS
        self.today = self.now // DAY

    def since(self, days):
        """The first second of a window of so many days that ends with today."""
        return self.since_day(days) * DAY

    def since_day(self, days):
        return self.today + 1 - days

    def field(self, name):
        kind = FIELDS[name]
        bits = np.dtype(kind).itemsize * 8
        return np.memmap(self.directory / f"{name}.u{bits}", dtype=kind, mode="r")

    def gender(self):
        return np.memmap(self.directory / "gender.u8", dtype=np.uint8, mode="r")

    def arrow_chunks(self):
        """The events as Arrow tables, in the order of their arrival."""
        import pyarrow as pa

        fields = {name: self.field(name) for name in FIELDS}
        for first in range(0, self.events, CHUNK_EVENTS):
            end = min(first + CHUNK_EVENTS, self.events)
            arrays = {name: pa.array(field[first:end]) for name, field in fields.items()}
            # Signed, so that differences need no care.
            arrays["time"] = arrays["time"].cast(pa.int32())
            yield pa.table(arrays)

    def told(self, kind, amount, category, channel):
        if kind != PURCHASE:
            return KINDS[kind]
        category, channel = self.categories[category], self.channels[channel]
        return f"purchase amount = {money(amount)}, category = {category}, channel = {channel}"

    def portrait_rows(self, user, portrait):
        """The rows of a portrait: the gender, (kind, count, first, last, and a count for each of
        PORTRAIT_DAYS) of each kind, the last events as (time, kind, amount, category, channel)."""
        gender, kinds, last = portrait
        rows = [[str(user), "gender", self.genders[int(gender)]]]
        for kind, count, first, latest, *recent in kinds:
            name = KINDS[int(kind)]
            rows.append([str(user), f"count {name}", str(int(count))])
            for days, within in zip(PORTRAIT_DAYS, recent, strict=True):
                rows.append([str(user), f"count {days}d {name}", str(int(within))])
            rows.append([str(user), f"first {name}", moment(first)])
            rows.append([str(user), f"last {name}", moment(latest)])
        for time, *event in last:
            rows.append([str(user), moment(time), self.told(*(int(field) for field in event))])
        return rows

    def portraits(self, one):
        return [Portraits("by user, which a table is sorted by", self, one, self.portrait_rows)]


def moment(seconds):
    moment = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def money(hundredths):
    return f"{int(hundredths) // 100}.{int(hundredths) % 100:02}"


def by_day(rows):
    """B9, from (day, count, users, sum)."""
    return {
        "rows": [
            [moment(int(day) * DAY)[:10], str(int(n)), str(int(users)), money(spent)]
            for day, n, users, spent in rows
        ]
    }


def run(peer, load, schema):
    segbench.run(peer, load, schema, Flat)


