"""DuckDB, in process: one wide table in a file, a boolean column for each tag that is asked for by
name, words of 64 tags each, and each user's tags as a list.

Codes are small integers and no text, which only helps it.
"""

import segbench
from segbench import BANDS, Form, Portraits

try:
    import duckdb
    import numpy as np
except ImportError as error:
    segbench.missing("duckdb", str(error))

BAND = "CASE WHEN age<18 THEN 0 WHEN age<25 THEN 1 WHEN age<35 THEN 2 WHEN age<45 THEN 3 WHEN age<55 THEN 4 ELSE 5 END"
Q1 = "t7 AND NOT t1 AND gender=0"
ORDER = "ORDER BY n DESC, 't' || tag LIMIT 20"


class DuckDb:
    def __init__(self, flat, scratch):
        self.flat, self.file = flat, scratch / "users.duckdb"
        self.versions = {"duckdb": duckdb.__version__, "numpy": np.__version__}
        self.db = duckdb.connect(str(self.file))
        for at, chunk in enumerate(flat.arrow_chunks()):
            self.db.register("chunk", chunk)
            verb = "INSERT INTO users" if at else "CREATE TABLE users AS"
            self.db.execute(f"{verb} SELECT * FROM chunk")
            self.db.unregister("chunk")
        self.db.execute("CHECKPOINT")

    def sizes(self):
        return {"memory_bytes": segbench.resident_bytes(), "disk_bytes": self.file.stat().st_size}

    def close(self):
        self.db.close()

    def one(self, name, where):
        query = f"SELECT count(*) FROM users WHERE {where}"
        return Form(name, lambda: self.db.execute(query).fetchone()[0])

    def rows(self, name, query, solve):
        return Form(name, lambda: self.db.execute(query).fetchall(), solve)

    def ids(self, name, query):
        return Form(name, lambda: self.db.execute(query).fetchnumpy()["id"], segbench.users)

    def questions(self):
        hundreds = range(100, 150)
        return {
            "Q1": [
                self.one("boolean columns", Q1),
                self.one("bits of a word", f"w0 & {1 << 7 | 1 << 1} = {1 << 7} AND gender=0"),
            ],
            "Q2": [
                self.one("boolean columns", "t0 AND t2"),
                self.one("bits of a word", "w0 & 5 = 5"),
            ],
            "Q3": [
                self.one("50 boolean columns", " OR ".join(f"t{tag}" for tag in hundreds)),
                self.one("words of 64 tags", " OR ".join(f"w{word} & {mask} <> 0" for word, mask in segbench.masks(hundreds))),
            ],
            "Q4": [self.one("columns", "age BETWEEN 25 AND 34 AND region=3 AND NOT t1")],
            "Q5": [
                self.one("sum of booleans", " + ".join(f"t{tag}::UTINYINT" for tag in range(5)) + " >= 3"),
                self.one("bits of a word", "bit_count(w0 & 31) >= 3"),
            ],
            "Q6": [self.ids("LIMIT", f"SELECT id FROM users WHERE {Q1} LIMIT 1000")],
            "Q7": [self.ids("columns", "SELECT id FROM users WHERE t20 AND spend_90d > 1000")],
            "Q8": [
                self.rows(
                    "GROUP BY",
                    "SELECT gender, count(*) FROM users WHERE t7 AND NOT t1 GROUP BY gender",
                    segbench.by_gender,
                )
            ],
            "Q9": [
                self.rows(
                    "GROUP BY",
                    f"SELECT region, {BAND} AS band, count(*) FROM users WHERE t0 AND NOT t5 GROUP BY ALL",
                    segbench.by_region_and_band,
                ),
                self.rows(
                    "GROUP BY one code",
                    f"SELECT c // {len(BANDS)}, c % {len(BANDS)}, n FROM (SELECT region::USMALLINT * "
                    f"{len(BANDS)} + {BAND} AS c, count(*) AS n FROM users WHERE t0 AND NOT t5 GROUP BY c)",
                    segbench.by_region_and_band,
                ),
            ],
            "Q10": [
                self.rows(
                    "unnested lists",
                    "SELECT tag, count(*) AS n FROM (SELECT unnest(tags) AS tag FROM users "
                    f"WHERE t7 AND gender=0) GROUP BY tag {ORDER}",
                    segbench.top_tags,
                ),
            ],
            "Q11": [
                self.rows(
                    "GROUP BY",
                    "SELECT source, count(*), sum(spend_90d), avg(spend_90d) FROM users "
                    "WHERE t2 AND age >= 30 GROUP BY source",
                    lambda rows: segbench.by_source([row[:3] for row in rows]),
                )
            ],
            "Q12": [Portraits("by id, which the table is sorted by", self.flat, self.portrait, self.portrait_rows)],
        }

    def portrait(self, user):
        columns = ", ".join(segbench.COLUMNS)
        return self.db.execute(f"SELECT {columns}, tags FROM users WHERE id = ?", [user]).fetchone()

    def portrait_rows(self, user, row):
        return self.flat.portrait_rows(user, dict(zip(segbench.COLUMNS, row)), row[-1])


if __name__ == "__main__":
    segbench.run(
        "duckdb",
        DuckDb,
        "in process, all threads, a database file; a wide table sorted by user, codes as small "
        "integers, a boolean column for each of the 58 tags that questions name, the words of 64 "
        "tags each that hold them, all tags as a list",
    )
