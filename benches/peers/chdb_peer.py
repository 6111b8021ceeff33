"""ClickHouse's engine, in process: one wide table, a boolean column for each tag that is asked for
by name, words of 64 tags each, each user's tags as an array, and a bitmap for each tag, gender,
region and age.

Codes are small integers and no text, which only helps it.
"""

import segbench
from segbench import BANDS, Form, Portraits

try:
    import chdb
    import numpy as np
    import pyarrow as pa
    from chdb.session import Session
except ImportError as error:
    segbench.missing("chdb", str(error))

BAND = "multiIf(age<18,0,age<25,1,age<35,2,age<45,3,age<55,4,5)"
Q1 = "t7 AND NOT t1 AND gender=0"
ORDER = "ORDER BY n DESC, concat('t', toString(tag)) LIMIT 20"
# A cache of which blocks a condition matches is a result cache.
UNCACHED = "SETTINGS use_query_cache=0, use_query_condition_cache=0"
COLUMNS = {
    "gender": "UInt8",
    "age": "UInt8",
    "region": "UInt8",
    "industry": "UInt8",
    "source": "UInt8",
    "device": "UInt8",
    "signup_day": "UInt16",
    "last_seen_day": "UInt16",
    "spend_90d": "UInt32",
}


class ClickHouse:
    def __init__(self, flat, scratch):
        self.flat, self.directory = flat, scratch / "chdb"
        self.session = Session(str(self.directory))
        self.do("CREATE DATABASE seg ENGINE = Atomic")
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        tags = ", ".join(f"t{tag} Bool" for tag in segbench.NAMED_TAGS)
        words = ", ".join(f"w{word} UInt64" for word in range(segbench.WORDS))
        self.do(
            f"CREATE TABLE seg.users (id UInt32, {columns}, {tags}, {words}, tags Array(UInt16)) "
            "ENGINE = MergeTree ORDER BY id"
        )
        piece = scratch / "piece.arrow"
        for chunk in flat.arrow_chunks():
            with pa.OSFile(str(piece), "wb") as file, pa.ipc.new_file(file, chunk.schema) as writer:
                writer.write_table(chunk)
            self.do(f"INSERT INTO seg.users SELECT * FROM file('{piece}', 'Arrow')")
            piece.unlink()
        self.do("OPTIMIZE TABLE seg.users FINAL")
        # One bitmap to a granule, so that a question reads only those that it names.
        self.do(
            "CREATE TABLE seg.bitmaps (name String, users AggregateFunction(groupBitmap, UInt32)) "
            "ENGINE = MergeTree ORDER BY name SETTINGS index_granularity = 1"
        )
        self.do(
            "INSERT INTO seg.bitmaps SELECT concat('t', toString(tag)), groupBitmapState(id) "
            "FROM seg.users ARRAY JOIN tags AS tag GROUP BY tag"
        )
        for name in ["gender", "region", "age"]:
            self.do(
                f"INSERT INTO seg.bitmaps SELECT concat('{name}:', toString({name})), "
                f"groupBitmapState(id) FROM seg.users GROUP BY {name}"
            )
        self.do("OPTIMIZE TABLE seg.bitmaps FINAL")
        version = self.do("SELECT version()", "TabSeparated").decode().strip()
        self.versions = {"clickhouse": version, "chdb": chdb.__version__}

    def do(self, query, form="RowBinary"):
        return self.session.query(query, form).bytes() or b""

    def sizes(self):
        return {
            "memory_bytes": segbench.resident_bytes(),
            "disk_bytes": segbench.directory_bytes(self.directory),
        }

    def close(self):
        self.session.close()

    def one(self, name, query):
        return Form(name, lambda: int(self.do(f"{query} {UNCACHED}", "TabSeparated")))

    def count(self, name, where):
        return self.one(name, f"SELECT count() FROM seg.users WHERE {where}")

    def rows(self, name, query, solve):
        query = f"{query} {UNCACHED}"

        def ask():
            text = self.do(query, "TabSeparated").decode()
            return [line.split("\t") for line in text.splitlines()]

        return Form(name, ask, solve)

    def ids(self, name, query):
        query = f"{query} {UNCACHED}"
        return Form(name, lambda: np.frombuffer(self.do(query), dtype=np.uint32), segbench.users)

    def questions(self):
        def bitmap(name):
            return f"(SELECT users FROM seg.bitmaps WHERE name='{name}')"

        def merged(names):
            names = ", ".join(f"'{name}'" for name in names)
            return f"(SELECT groupBitmapMergeState(users) FROM seg.bitmaps WHERE name IN ({names}))"

        hundreds = range(100, 150)
        women_vip = f"bitmapAnd({bitmap('t7')}, {bitmap('gender:0')})"
        return {
            "Q1": [
                self.count("boolean columns", Q1),
                self.count("bits of a word", f"bitAnd(w0, {1 << 7 | 1 << 1}) = {1 << 7} AND gender=0"),
                self.one("bitmaps", f"SELECT bitmapAndnotCardinality({women_vip}, {bitmap('t1')})"),
            ],
            "Q2": [
                self.count("boolean columns", "t0 AND t2"),
                self.count("bits of a word", "bitAnd(w0, 5) = 5"),
                self.one("bitmaps", f"SELECT bitmapAndCardinality({bitmap('t0')}, {bitmap('t2')})"),
            ],
            "Q3": [
                self.count("50 boolean columns", " OR ".join(f"t{tag}" for tag in hundreds)),
                self.count("words of 64 tags", " OR ".join(self.masked(hundreds))),
                self.one("bitmaps merged", f"SELECT bitmapCardinality({merged(f't{tag}' for tag in hundreds)})"),
            ],
            "Q4": [
                self.count("columns", "age BETWEEN 25 AND 34 AND region=3 AND NOT t1"),
                self.one(
                    "bitmaps",
                    "SELECT bitmapAndnotCardinality(bitmapAnd("
                    f"{merged(f'age:{age}' for age in range(25, 35))}, {bitmap('region:3')}), {bitmap('t1')})",
                ),
            ],
            "Q5": [
                self.count("sum of booleans", "t0+t1+t2+t3+t4 >= 3"),
                self.count("bits of a word", "bitCount(bitAnd(w0, 31)) >= 3"),
            ],
            "Q6": [
                self.ids("LIMIT", f"SELECT id FROM seg.users WHERE {Q1} LIMIT 1000"),
                self.ids(
                    "bitmaps",
                    "SELECT arrayJoin(bitmapToArray(bitmapSubsetLimit("
                    f"bitmapAndnot({women_vip}, {bitmap('t1')}), 0, 1000)))",
                ),
            ],
            "Q7": [self.ids("columns", "SELECT id FROM seg.users WHERE t20 AND spend_90d > 1000")],
            "Q8": [
                self.rows(
                    "GROUP BY",
                    "SELECT gender, count() FROM seg.users WHERE t7 AND NOT t1 GROUP BY gender",
                    self.by_gender,
                ),
                self.rows(
                    "bitmaps",
                    "SELECT substring(name, 8), bitmapAndCardinality(users, "
                    f"bitmapAndnot({bitmap('t7')}, {bitmap('t1')})) FROM seg.bitmaps WHERE name LIKE 'gender:%'",
                    self.by_gender,
                ),
            ],
            "Q9": [
                self.rows(
                    "GROUP BY",
                    f"SELECT region, {BAND} AS band, count() FROM seg.users WHERE t0 AND NOT t5 "
                    "GROUP BY region, band",
                    segbench.by_region_and_band,
                ),
                self.rows(
                    "GROUP BY one code",
                    f"SELECT intDiv(c, {len(BANDS)}), c % {len(BANDS)}, n FROM (SELECT "
                    f"toUInt16(region * {len(BANDS)} + {BAND}) AS c, count() AS n FROM seg.users "
                    "WHERE t0 AND NOT t5 GROUP BY c)",
                    segbench.by_region_and_band,
                ),
            ],
            "Q10": [
                self.rows(
                    "arrays joined",
                    "SELECT tag, count() AS n FROM seg.users ARRAY JOIN tags AS tag "
                    f"WHERE t7 AND gender=0 GROUP BY tag {ORDER}",
                    segbench.top_tags,
                ),
                self.rows(
                    "bitmaps",
                    f"SELECT toUInt16(substring(name, 2)) AS tag, bitmapAndCardinality(users, {women_vip}) AS n "
                    f"FROM seg.bitmaps WHERE match(name, '^t[0-9]') {ORDER}",
                    segbench.top_tags,
                ),
            ],
            "Q11": [
                self.rows(
                    "GROUP BY",
                    "SELECT source, count(), sum(spend_90d), avg(spend_90d) FROM seg.users "
                    "WHERE t2 AND age >= 30 GROUP BY source",
                    lambda rows: segbench.by_source([row[:3] for row in rows]),
                )
            ],
            "Q12": [Portraits("by id, which the table is sorted by", self.flat, self.portrait, self.portrait_rows)],
        }

    @staticmethod
    def masked(tags):
        for word, mask in segbench.masks(tags):
            yield f"bitAnd(w{word}, {mask}) <> 0"

    @staticmethod
    def by_gender(rows):
        return segbench.by_gender([(int(code), int(n)) for code, n in rows])

    def portrait(self, user):
        columns = ", ".join(COLUMNS)
        query = f"SELECT {columns}, arrayStringConcat(tags, ' ') FROM seg.users WHERE id={user} {UNCACHED}"
        return self.do(query, "TabSeparated").decode().rstrip("\n").split("\t")

    def portrait_rows(self, user, row):
        values = {name: int(text) for name, text in zip(COLUMNS, row)}
        return self.flat.portrait_rows(user, values, [int(tag) for tag in row[-1].split()])


if __name__ == "__main__":
    segbench.run(
        "chdb",
        ClickHouse,
        "in process, all threads, MergeTree on disk; a wide table sorted by user, codes as small "
        "integers, a boolean column for each of the 58 tags that questions name, the words of 64 "
        "tags each that hold them, all tags as an array; a groupBitmap for each tag, gender, region and age; no query caches",
    )
