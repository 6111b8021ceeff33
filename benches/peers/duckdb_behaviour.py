"""DuckDB, in process: a table for each kind of event, and one of all events for portraits.

Codes are small integers, times are seconds, users are numbers, which only helps it.
"""

import behaviour
from behaviour import CART, DAY, KINDS, PURCHASE, SHOES, VIEW
from segbench import Form, missing, resident_bytes

try:
    import duckdb
    import numpy as np
except ImportError as error:
    missing("duckdb", str(error))


class DuckDb:
    def __init__(self, flat, scratch):
        self.flat, self.file = flat, scratch / "events.duckdb"
        self.versions = {"duckdb": duckdb.__version__, "numpy": np.__version__}
        self.db = duckdb.connect(str(self.file))
        self.db.execute(f"SET temp_directory = '{scratch / 'spill'}'")
        for at, chunk in enumerate(flat.arrow_chunks()):
            self.db.register("chunk", chunk)
            verb = "INSERT INTO arrived" if at else "CREATE TABLE arrived AS"
            self.db.execute(f"{verb} SELECT * FROM chunk")
            self.db.unregister("chunk")
        for code, kind in enumerate(KINDS):
            fields = ", amount, category, channel" if code == PURCHASE else ""
            self.db.execute(
                f"CREATE TABLE {kind} AS SELECT user, time, (time // {DAY})::USMALLINT AS day{fields} "
                f"FROM arrived WHERE kind = {code} ORDER BY day, user, time"
            )
        self.db.execute("CREATE TABLE history AS SELECT * FROM arrived ORDER BY user, time")
        self.db.execute("DROP TABLE arrived")
        self.db.execute(
            "CREATE TABLE last_purchase AS SELECT user, max(time) AS time FROM purchase GROUP BY user ORDER BY user"
        )
        gender = flat.gender()
        people = {"id": np.arange(flat.users, dtype=np.uint32), "gender": np.asarray(gender)}
        self.db.register("people", people)
        self.db.execute("CREATE TABLE users AS SELECT id, gender FROM people ORDER BY id")
        self.db.unregister("people")
        self.db.execute("CHECKPOINT")

    def sizes(self):
        return {"memory_bytes": resident_bytes(), "disk_bytes": self.file.stat().st_size}

    def close(self):
        self.db.close()

    def one(self, name, query):
        return Form(name, lambda: self.db.execute(query).fetchone()[0])

    def groups(self, name, table, since, having):
        """How many users there are whose events since then are such."""
        query = f"SELECT user FROM {table} WHERE time >= {since} GROUP BY user HAVING {having}"
        return self.one(name, f"SELECT count(*) FROM ({query})")

    def bits(self, table, where):
        """The users as a string of bits."""
        last = self.flat.users - 1
        return f"(SELECT bit_count(bitstring_agg(user, 0::UINTEGER, {last}::UINTEGER)) FROM {table} WHERE {where})"

    def questions(self):
        flat = self.flat
        two, month, quarter = flat.since(14), flat.since(30), flat.since(90)
        long_ago = flat.now - 60 * DAY
        login, bought = f"time >= {two}", f"time >= {month}"
        return {
            "B1": [
                self.one("count distinct", f"SELECT {flat.users} - count(DISTINCT user) FROM login WHERE {login}"),
                self.one("bitstring_agg", f"SELECT {flat.users} - {self.bits('login', login)}"),
                self.one(
                    "anti join",
                    f"SELECT count(*) FROM users WHERE NOT EXISTS (FROM login WHERE user = id AND {login})",
                ),
            ],
            "B2": [
                self.one("count distinct", f"SELECT count(DISTINCT user) FROM purchase WHERE {bought}"),
                self.one("bitstring_agg", f"SELECT {self.bits('purchase', bought)}"),
            ],
            "B3": [self.groups("GROUP BY", "purchase", month, "count(*) >= 3")],
            "B4": [self.groups("GROUP BY", "purchase", quarter, "sum(amount) > 100000")],
            "B5": [
                self.groups("count distinct days", "login", flat.since(7), "count(DISTINCT day) >= 5"),
                self.groups(
                    "bits of days",
                    "login",
                    flat.since(7),
                    f"bit_count(bit_or(1 << ({flat.today} - day)::INTEGER)) >= 5",
                ),
            ],
            "B6": [
                self.groups("GROUP BY", "purchase", 0, f"max(time) < {long_ago}"),
                self.one(
                    "bitstring_agg of all and of the new",
                    f"SELECT {self.bits('purchase', 'true')} - {self.bits('purchase', f'time >= {long_ago}')}",
                ),
                self.one(
                    "a table of last purchases",
                    f"SELECT count(*) FROM last_purchase WHERE time < {long_ago}",
                ),
            ],
            "B7": [
                self.groups("GROUP BY", f"(FROM purchase WHERE category = {SHOES})", quarter, "count(*) >= 2"),
            ],
            "B8": self.sequences(month),
            "B9": self.days(month),
            "B10": flat.portraits(self.portrait),
        }

    def sequences(self, since):
        buyers = (
            f"(SELECT user FROM purchase WHERE time >= {since} INTERSECT "
            f"SELECT user FROM cart WHERE time >= {since})"
        )
        steps = {
            "": lambda table: f"(SELECT user, time FROM {table} WHERE time >= {since})",
            ", of those who did all but look": lambda table: (
                f"(SELECT user, time FROM {table} WHERE time >= {since} AND user IN {buyers})"
            ),
        }
        forms = []
        for name, step in steps.items():
            view, cart, purchase = step("view"), step("cart"), step("purchase")
            forms.append(
                self.one(
                    f"ASOF joins{name}",
                    f"SELECT count(DISTINCT p.user) FROM {purchase} p ASOF JOIN "
                    f"(SELECT c.user, c.time, v.time AS start FROM {cart} c ASOF JOIN {view} v "
                    "ON c.user = v.user AND c.time > v.time) s "
                    f"ON p.user = s.user AND p.time > s.time WHERE p.time - s.start <= {DAY}",
                )
            )
            forms.append(
                self.one(
                    f"joins by ranges{name}",
                    f"SELECT count(DISTINCT p.user) FROM {purchase} p JOIN {cart} c ON p.user = c.user "
                    f"AND c.time < p.time AND p.time - c.time <= {DAY} JOIN {view} v ON v.user = c.user "
                    f"AND v.time < c.time AND p.time - v.time <= {DAY}",
                )
            )
            forms.append(self.one(f"window functions{name}", self.windows(since, buyers if name else None)))
        return forms

    @staticmethod
    def windows(since, users):
        """The last view before each cart, then the last of those before each purchase."""
        among = f"AND user IN {users}" if users else ""
        union = " UNION ALL ".join(
            f"SELECT user, time, {code} AS kind FROM {KINDS[code]} WHERE time >= {since} {among}"
            for code in [VIEW, CART, PURCHASE]
        )
        over = "(PARTITION BY user ORDER BY time)"
        started = (
            f"SELECT user, time, kind, max(CASE WHEN kind = {VIEW} THEN time END) OVER {over} AS start FROM ({union})"
        )
        carted = (
            f"SELECT user, time, kind, max(CASE WHEN kind = {CART} THEN start END) OVER {over} AS start "
            f"FROM ({started}) WHERE kind <> {VIEW}"
        )
        return (
            f"SELECT count(DISTINCT user) FROM ({carted}) WHERE kind = {PURCHASE} AND time - start <= {DAY}"
        )

    def days(self, since):
        plain = (
            "SELECT day, count(*), count(DISTINCT user), sum(amount) FROM purchase "
            f"WHERE time >= {since} GROUP BY day"
        )
        twice = (
            "SELECT day, sum(n), count(*), sum(spent) FROM (SELECT day, user, count(*) AS n, sum(amount) AS spent "
            f"FROM purchase WHERE time >= {since} GROUP BY day, user) GROUP BY day"
        )
        last = self.flat.users - 1
        bits = (
            f"SELECT day, count(*), bit_count(bitstring_agg(user, 0::UINTEGER, {last}::UINTEGER)), sum(amount) "
            f"FROM purchase WHERE time >= {since} GROUP BY day"
        )
        forms = {"count distinct": plain, "GROUP BY twice": twice, "bitstring_agg": bits}
        return [
            Form(name, lambda query=query: self.db.execute(query).fetchall(), behaviour.by_day)
            for name, query in forms.items()
        ]

    def portrait(self, user):
        recent = ", ".join(
            f"count(*) FILTER (time >= {self.flat.since(days)})" for days in behaviour.PORTRAIT_DAYS
        )
        kinds = f"SELECT kind, count(*), min(time), max(time), {recent} FROM history WHERE user = ? GROUP BY kind"
        last = (
            "SELECT time, kind, amount, category, channel FROM history WHERE user = ? "
            f"ORDER BY time DESC LIMIT {behaviour.LAST_EVENTS}"
        )
        gender = self.db.execute("SELECT gender FROM users WHERE id = ?", [user]).fetchone()[0]
        kinds = self.db.execute(kinds, [user]).fetchall()
        return gender, kinds, self.db.execute(last, [user]).fetchall()


if __name__ == "__main__":
    behaviour.run(
        "duckdb",
        DuckDb,
        "in process, all threads, a database file; a table for each kind of event, sorted by day, user and time; "
        "all events once more, sorted by user and time, for portraits; a table of each user's last purchase",
    )
