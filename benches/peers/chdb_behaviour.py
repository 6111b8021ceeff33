"""ClickHouse's engine, in process: a table for each kind of event, one of all events by user, and
bitmaps of users by kind and day.

Codes are small integers, times are seconds, users are numbers, which only helps it.
"""

import behaviour
from behaviour import CART, DAY, KINDS, LOGIN, PURCHASE, SHOES, VIEW
from segbench import Form, directory_bytes, missing, resident_bytes

try:
    import chdb
    import numpy as np
    import pyarrow as pa
    from chdb.session import Session
except ImportError as error:
    missing("chdb", str(error))

# A cache of which blocks a condition matches is a result cache.
UNCACHED = "SETTINGS use_query_cache=0, use_query_condition_cache=0"
DAYS = "(user UInt32, time Int32, day UInt16"


class ClickHouse:
    def __init__(self, flat, scratch):
        self.flat, self.directory, self.scratch = flat, scratch / "chdb", scratch
        self.session = Session(str(self.directory))
        self.do("CREATE DATABASE seg ENGINE = Atomic")
        self.do(
            "CREATE TABLE seg.history (user UInt32, time Int32, kind UInt8, amount UInt32, category UInt8, "
            "channel UInt8) ENGINE = MergeTree PARTITION BY toYYYYMM(toDateTime(time)) ORDER BY (user, time)"
        )
        self.do(
            "CREATE TABLE seg.portraits AS seg.history ENGINE = MergeTree ORDER BY (user, time)"
        )
        for chunk in flat.arrow_chunks():
            self.insert("history", chunk)
        self.do("INSERT INTO seg.portraits SELECT * FROM seg.history")
        for code, kind in enumerate(KINDS):
            fields = ["amount", "category", "channel"] if code == PURCHASE else []
            types = ", amount UInt32, category UInt8, channel UInt8" if fields else ""
            self.do(f"CREATE TABLE seg.{kind} {DAYS}{types}) ENGINE = MergeTree ORDER BY (day, user, time)")
            names = ", ".join(["user", "time", f"intDiv(time, {DAY})", *fields])
            self.do(f"INSERT INTO seg.{kind} SELECT {names} FROM seg.history WHERE kind = {code}")
            self.do(f"OPTIMIZE TABLE seg.{kind} FINAL")
        # One bitmap to a granule, so that a question reads only those that it names.
        self.do(
            "CREATE TABLE seg.did (kind UInt8, day UInt16, users AggregateFunction(groupBitmap, UInt32)) "
            "ENGINE = AggregatingMergeTree ORDER BY (kind, day) SETTINGS index_granularity = 1"
        )
        for code, kind in enumerate(KINDS):
            self.do(f"INSERT INTO seg.did SELECT {code}, day, groupBitmapState(user) FROM seg.{kind} GROUP BY day")
        self.do("CREATE TABLE seg.last_purchase (user UInt32, time Int32) ENGINE = MergeTree ORDER BY user")
        self.do("INSERT INTO seg.last_purchase SELECT user, max(time) FROM seg.purchase GROUP BY user")
        self.do("CREATE TABLE seg.users (id UInt32, gender UInt8) ENGINE = MergeTree ORDER BY id")
        people = {"id": np.arange(flat.users, dtype=np.uint32), "gender": np.asarray(flat.gender())}
        self.insert("users", pa.table({name: pa.array(array) for name, array in people.items()}))
        for table in ["history", "portraits", "did", "last_purchase", "users"]:
            self.do(f"OPTIMIZE TABLE seg.{table} FINAL")
        version = self.do("SELECT version()", "TabSeparated").decode().strip()
        self.versions = {"clickhouse": version, "chdb": chdb.__version__}

    def insert(self, table, chunk):
        piece = self.scratch / "piece.arrow"
        with pa.OSFile(str(piece), "wb") as file, pa.ipc.new_file(file, chunk.schema) as writer:
            writer.write_table(chunk)
        self.do(f"INSERT INTO seg.{table} SELECT * FROM file('{piece}', 'Arrow')")
        piece.unlink()

    def do(self, query, form="RowBinary"):
        return self.session.query(query, form).bytes() or b""

    def lines(self, query):
        text = self.do(f"{query} {UNCACHED}", "TabSeparated").decode()
        return [line.split("\t") for line in text.splitlines()]

    def sizes(self):
        return {"memory_bytes": resident_bytes(), "disk_bytes": directory_bytes(self.directory)}

    def close(self):
        self.session.close()

    def one(self, name, query):
        return Form(name, lambda: int(self.do(f"{query} {UNCACHED}", "TabSeparated")))

    def groups(self, name, table, where, having):
        """How many users there are whose events are such."""
        query = f"SELECT user FROM seg.{table} WHERE {where} GROUP BY user HAVING {having}"
        return self.one(name, f"SELECT count() FROM ({query})")

    def both(self, code, where, having):
        """From the table of the kind, and from that of all events, which is sorted by user."""
        return [
            self.groups("GROUP BY, the kind's table", KINDS[code], where, having),
            self.groups("GROUP BY, by user within months", "history", f"kind = {code} AND {where}", having),
        ]

    def bitmap(self, code, days):
        return (
            "(SELECT groupBitmapMerge(users) FROM seg.did "
            f"WHERE kind = {code} AND day >= {self.flat.since_day(days)})"
        )

    def distinct(self, table, where):
        """How many users there are, counted three ways."""
        query = f"FROM seg.{table} WHERE {where}"
        return {
            "uniqExact": f"(SELECT uniqExact(user) {query})",
            "groupBitmap": f"(SELECT groupBitmap(user) {query})",
        }

    def questions(self):
        flat = self.flat

        def since(days):
            return f"day >= {flat.since_day(days)}"

        def times(days):
            return f"time >= {flat.since(days)}"

        def before(text):
            return text.replace("(SELECT", f"SELECT {flat.users} - (SELECT", 1)

        long_ago = flat.now - 60 * DAY
        logins = {**self.distinct("login", since(14)), "bitmaps of days": self.bitmap(LOGIN, 14)}
        buyers = {**self.distinct("purchase", since(30)), "bitmaps of days": self.bitmap(PURCHASE, 30)}
        return {
            "B1": [self.one(name, before(query)) for name, query in logins.items()],
            "B2": [self.one(name, f"SELECT {query}") for name, query in buyers.items()],
            "B3": self.both(PURCHASE, times(30), "count() >= 3"),
            "B4": self.both(PURCHASE, times(90), "sum(amount) > 100000"),
            "B5": [
                self.groups("distinct days", "login", since(7), "uniqExact(day) >= 5"),
                self.groups(
                    "bits of days",
                    "login",
                    since(7),
                    f"bitCount(groupBitOr(bitShiftLeft(1, {flat.today} - day))) >= 5",
                ),
                self.one(
                    "bitmaps of days",
                    "SELECT count() FROM (SELECT user FROM seg.did ARRAY JOIN bitmapToArray(users) AS user "
                    f"WHERE kind = {LOGIN} AND {since(7)} GROUP BY user HAVING count() >= 5)",
                ),
            ],
            "B6": [
                self.groups("GROUP BY", "purchase", "1", f"max(time) < {long_ago}"),
                self.one(
                    "a table of last purchases",
                    f"SELECT count() FROM seg.last_purchase WHERE time < {long_ago}",
                ),
            ],
            "B7": self.both(PURCHASE, f"{times(90)} AND category = {SHOES}", "count() >= 2"),
            "B8": self.sequences(),
            "B9": self.days(since(30)),
            "B10": flat.portraits(self.portrait),
        }

    def sequences(self):
        funnel = ", ".join(f"kind = {code}" for code in [VIEW, CART, PURCHASE])
        month, first = self.flat.since(30), self.flat.since_day(30)
        carts = f"(SELECT DISTINCT user FROM seg.cart WHERE day >= {first})"
        buyers = f"(SELECT DISTINCT user FROM seg.purchase WHERE day >= {first} AND user IN {carts})"
        union = " UNION ALL ".join(
            f"SELECT user, time, {code} AS kind FROM seg.{KINDS[code]} WHERE day >= {first}"
            for code in [VIEW, CART, PURCHASE]
        )
        few = union.replace(f">= {first}", f">= {first} AND user IN {buyers}")
        whole = f"SELECT user, time, kind FROM seg.history WHERE time >= {month} AND kind <> {LOGIN}"
        sources = {
            "the kinds' tables": union,
            "the kinds' tables, of those who did all but look": few,
            "by user within months": whole,
            "by user within months, of those who did all but look": f"{whole} AND user IN {buyers}",
        }
        return [
            self.one(
                f"windowFunnel, {name}",
                "SELECT count() FROM (SELECT user FROM "
                f"({query}) GROUP BY user HAVING windowFunnel({DAY}, 'strict_increase')"
                f"(toUInt32(time), {funnel}) = 3)",
            )
            for name, query in sources.items()
        ]

    def days(self, where):
        query = "SELECT day, count(), {users}, sum(amount) FROM seg.purchase WHERE {where} GROUP BY day"
        forms = {
            name: query.format(users=users, where=where)
            for name, users in {"uniqExact": "uniqExact(user)", "groupBitmap": "groupBitmap(user)"}.items()
        }
        forms["bitmaps of days"] = (
            "SELECT day, n, people, spent FROM (SELECT day, count() AS n, sum(amount) AS spent FROM seg.purchase "
            f"WHERE {where} GROUP BY day) AS sums JOIN (SELECT day, groupBitmapMerge(users) AS people FROM seg.did "
            f"WHERE kind = {PURCHASE} AND {where} GROUP BY day) AS counts USING day"
        )
        return [
            Form(name, lambda query=query: self.lines(query), behaviour.by_day)
            for name, query in forms.items()
        ]

    def portrait(self, user):
        gender = self.lines(f"SELECT gender FROM seg.users WHERE id = {user}")[0][0]
        recent = ", ".join(
            f"countIf(time >= {self.flat.since(days)})" for days in behaviour.PORTRAIT_DAYS
        )
        kinds = self.lines(
            f"SELECT kind, count(), min(time), max(time), {recent} FROM seg.portraits WHERE user = {user} GROUP BY kind"
        )
        last = self.lines(
            f"SELECT time, kind, amount, category, channel FROM seg.portraits WHERE user = {user} "
            f"ORDER BY time DESC LIMIT {behaviour.LAST_EVENTS}"
        )
        return gender, kinds, last


if __name__ == "__main__":
    behaviour.run(
        "chdb",
        ClickHouse,
        "in process, all threads, MergeTree on disk; a table for each kind of event, sorted by day, user and time; "
        "all events once more, in partitions by month sorted by user and time, and once in one sorted by user, for "
        "portraits; a groupBitmap of users for each kind and day; a table of each user's last purchase; no query caches",
    )
