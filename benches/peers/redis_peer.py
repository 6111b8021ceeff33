"""Redis: a bitmap string for each tag, value, age and bit of spend_90d, and packed columns.

What somebody builds who keeps segments in Redis: BITOP into a temporary key, BITCOUNT of it, all
commands of a question in one pipeline over loopback. Redis 7 has no ANDNOT: x AND NOT y is counted as |x| - |x AND y|.
"""

import csv
import io
import shutil
import subprocess
import sys
import time

import segbench
from segbench import BANDS, BAND_OF_AGE, Form, Portraits

try:
    import numpy as np
    import redis
except ImportError as error:
    segbench.missing("redis", str(error))

if not shutil.which("redis-server") or not shutil.which("redis-benchmark"):
    segbench.missing("redis", "redis-server or redis-benchmark is not installed")

# 1,000 in binary, the slices that Q7 compares.
BOUND = 1000
BOUND_BITS = BOUND.bit_length()
WRITE_SECONDS = 5


class Server:
    """A redis-server of our own on a port that was free a moment ago."""

    def __init__(self, scratch, options):
        self.port = free_port()
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(scratch)]
            + ["--daemonize", "no", "--save", "", "--loglevel", "warning", *options],
            stdout=sys.stderr,
        )
        self.client = redis.Redis(port=self.port, socket_timeout=600)
        for _ in range(600):
            try:
                self.client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.05)
        raise RuntimeError("redis-server does not answer")

    def close(self):
        self.client.close()
        self.process.terminate()
        self.process.wait()


def free_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def bits(ids, users):
    """Redis' order: the first user is the highest bit of the first byte."""
    held = np.zeros(-(-users // 8) * 8, dtype=bool)
    held[ids] = True
    return np.packbits(held).tobytes()


def numbers(text):
    return np.flatnonzero(np.unpackbits(np.frombuffer(text, dtype=np.uint8)))


class Redis:
    def __init__(self, flat, scratch):
        self.flat, self.scratch = flat, scratch
        spend = flat.column("spend_90d")
        self.slices = max(int(spend.max()).bit_length(), BOUND_BITS)
        rows = flat.tags + len(segbench.GENDERS) + 34 + 12 + 91 + self.slices
        needed = flat.users * (rows / 8 + sum(np.dtype(kind).itemsize for kind in segbench.COLUMNS.values()))
        if needed > 0.9 * segbench.available_bytes():
            segbench.missing(
                "redis",
                f"its bitmaps and columns of {flat.users} users take {needed / 2**30:.1f} GiB of memory, "
                "more than is free",
            )
        # No persistence for the questions: it would only slow it down.
        self.server = Server(scratch, ["--appendonly", "no"])
        self.db = self.server.client
        self.versions = {
            "redis": self.db.info("server")["redis_version"],
            "redis-py": redis.__version__,
        }
        for tag in range(flat.tags):
            self.db.set(f"t{tag}", bits(flat.holders(tag), flat.users))
        for name in ["gender", "region", "source", "age"]:
            column = np.asarray(flat.column(name))
            for value in range(int(column.max()) + 1):
                self.db.set(f"{name}:{value}", np.packbits(column == value).tobytes())
        for at in range(self.slices):
            self.db.set(f"spend:{at}", np.packbits(spend >> np.uint32(at) & 1 == 1).tobytes())
        for name in segbench.COLUMNS:
            self.store_column(name)

    def store_column(self, name):
        # In pieces: a string may have 512 MB, but one command should not.
        column = self.flat.column(name)
        for first, end in self.flat.chunks():
            self.db.append(f"column:{name}", column[first:end].tobytes())

    def sizes(self):
        return {"memory_bytes": segbench.resident_bytes(self.server.process.pid)}

    def close(self):
        self.server.close()

    def questions(self):
        return {
            "Q1": [Form("BITOP AND twice, BITCOUNT twice", self.q1)],
            "Q2": [Form("BITOP AND, BITCOUNT", self.q2)],
            "Q3": [Form("BITOP OR of 50, BITCOUNT", self.q3)],
            "Q4": [Form("BITOP OR of ten ages, AND twice, BITCOUNT twice", self.q4)],
            "Q5": [Form("a network of BITOP AND and OR, BITCOUNT", self.q5)],
            "Q6": [
                Form("whole by BITOP, its first bytes by GETRANGE", self.q6_whole, segbench.users),
                Form("first bytes of three bitmaps by GETRANGE, combined by the client", self.q6_bytes, segbench.users),
            ],
            "Q7": [
                Form("spend's bits compared by BITOP, GET", self.q7_slices, segbench.users),
                Form("GET of the tag and of the column, compared by the client", self.q7_column, segbench.users),
            ],
            "Q8": [Form("BITOP AND with each gender, BITCOUNT", self.q8, segbench.by_gender)],
            "Q9": [
                Form("BITOP AND with each of 204 cells, BITCOUNT", self.q9, segbench.by_region_and_band),
                Form("GET of two tags and two columns, counted by the client", self.q9_column, segbench.by_region_and_band),
            ],
            "Q10": [Form("1,000 times BITOP AND, BITCOUNT", self.q10, segbench.top_tags)],
            "Q11": [
                Form("BITOP AND with each source and bit of spend, BITCOUNT", self.q11, segbench.by_source),
                Form("GET of the tag and of three columns, summed by the client", self.q11_column, segbench.by_source),
            ],
            "Q12": [Portraits("1,000 GETBIT and 9 GETRANGE, one pipeline", self.flat, self.portrait, self.portrait_rows)],
        }

    def and_not(self, kept, removed):
        """|kept AND NOT removed|."""
        pipe = self.db.pipeline(transaction=False)
        pipe.bitop("AND", "tmp:a", *kept)
        pipe.bitop("AND", "tmp:b", "tmp:a", removed)
        pipe.bitcount("tmp:a")
        pipe.bitcount("tmp:b")
        *_, whole, both = pipe.execute()
        return whole - both

    def q1(self):
        return self.and_not(["t7", "gender:0"], "t1")

    def q2(self):
        pipe = self.db.pipeline(transaction=False)
        pipe.bitop("AND", "tmp:a", "t0", "t2").bitcount("tmp:a")
        return pipe.execute()[-1]

    def q3(self):
        pipe = self.db.pipeline(transaction=False)
        pipe.bitop("OR", "tmp:a", *(f"t{tag}" for tag in range(100, 150))).bitcount("tmp:a")
        return pipe.execute()[-1]

    def q4(self):
        pipe = self.db.pipeline(transaction=False)
        pipe.bitop("OR", "tmp:c", *(f"age:{age}" for age in range(25, 35)))
        pipe.bitop("AND", "tmp:a", "tmp:c", "region:3")
        pipe.bitop("AND", "tmp:b", "tmp:a", "t1")
        pipe.bitcount("tmp:a")
        pipe.bitcount("tmp:b")
        *_, whole, both = pipe.execute()
        return whole - both

    def q5(self):
        pipe = self.db.pipeline(transaction=False)
        for operation, to, *of in [
            ("AND", "both", "t0", "t1"),
            ("OR", "either", "t0", "t1"),
            ("AND", "two", "t2", "t3"),
            ("OR", "one", "t2", "t3"),
            ("AND", "three", "tmp:two", "t4"),
            ("AND", "more", "tmp:one", "t4"),
            ("OR", "two", "tmp:two", "tmp:more"),
            ("OR", "one", "tmp:one", "t4"),
            ("AND", "two", "tmp:two", "tmp:either"),
            ("AND", "one", "tmp:one", "tmp:both"),
            ("OR", "three", "tmp:three", "tmp:two", "tmp:one"),
        ]:
            pipe.bitop(operation, f"tmp:{to}", *of)
        pipe.bitcount("tmp:three")
        return pipe.execute()[-1]

    def q6_whole(self):
        pipe = self.db.pipeline(transaction=False)
        pipe.bitop("AND", "tmp:a", "t7", "gender:0")
        pipe.bitop("AND", "tmp:b", "tmp:a", "t1")
        pipe.bitop("XOR", "tmp:a", "tmp:a", "tmp:b")
        pipe.execute()
        return self.first_thousand(lambda last: numbers(self.db.getrange("tmp:a", 0, last)))

    def q6_bytes(self):
        def within(last):
            pipe = self.db.pipeline(transaction=False)
            for key in ["t7", "gender:0", "t1"]:
                pipe.getrange(key, 0, last)
            vip, women, silent = (np.frombuffer(text, dtype=np.uint8) for text in pipe.execute())
            return np.flatnonzero(np.unpackbits(vip & women & ~silent))

        return self.first_thousand(within)

    def first_thousand(self, within):
        last = 1 << 12
        while True:
            found = within(last - 1)
            if len(found) >= 1000 or last * 8 >= self.flat.users:
                return found[:1000]
            last *= 4

    def q7_slices(self):
        pipe = self.db.pipeline(transaction=False)
        above = [f"spend:{at}" for at in range(BOUND_BITS, self.slices)]
        pipe.bitop("OR", "tmp:gt", *above)
        pipe.bitop("AND", "tmp:gt", "tmp:gt", "t20")
        pipe.bitop("XOR", "tmp:eq", "t20", "tmp:gt")
        for at in reversed(range(BOUND_BITS)):
            pipe.bitop("AND", "tmp:one", "tmp:eq", f"spend:{at}")
            if BOUND >> at & 1:
                pipe.rename("tmp:one", "tmp:eq")
            else:
                pipe.bitop("OR", "tmp:gt", "tmp:gt", "tmp:one")
                pipe.bitop("XOR", "tmp:eq", "tmp:eq", "tmp:one")
        pipe.get("tmp:gt")
        return numbers(pipe.execute()[-1])

    def columns(self, *names):
        kinds = [segbench.COLUMNS[name] for name in names]
        texts = self.db.mget([f"column:{name}" for name in names])
        return [np.frombuffer(text, dtype=kind) for text, kind in zip(texts, kinds)]

    def q7_column(self):
        ids = numbers(self.db.get("t20"))
        (spend,) = self.columns("spend_90d")
        return ids[spend[ids] > BOUND]

    def q8(self):
        pipe = self.db.pipeline(transaction=False)
        pipe.bitop("AND", "tmp:a", "t7", "t1")
        pipe.bitop("XOR", "tmp:a", "tmp:a", "t7")
        for code in range(len(segbench.GENDERS)):
            pipe.bitop("AND", "tmp:b", "tmp:a", f"gender:{code}").bitcount("tmp:b")
        return list(enumerate(pipe.execute()[3::2]))

    def q9(self):
        pipe = self.db.pipeline(transaction=False)
        pipe.bitop("AND", "tmp:a", "t0", "t5")
        pipe.bitop("XOR", "tmp:a", "tmp:a", "t0")
        cells = []
        ages = [[age for age in range(13, 91) if BAND_OF_AGE[age] == band] for band in range(len(BANDS))]
        skipped = 2
        for band, within in enumerate(ages):
            pipe.bitop("OR", "tmp:b", *(f"age:{age}" for age in within))
            pipe.bitop("AND", "tmp:b", "tmp:b", "tmp:a")
            skipped += 2
            for region in range(34):
                pipe.bitop("AND", "tmp:c", "tmp:b", f"region:{region}").bitcount("tmp:c")
                cells.append((region, band, skipped + 1))
                skipped += 2
        answers = pipe.execute()
        return [(region, band, answers[at]) for region, band, at in cells]

    def q9_column(self):
        pipe = self.db.pipeline(transaction=False)
        pipe.get("t0").get("t5").get("column:region").get("column:age")
        held, removed, region, age = (np.frombuffer(text, dtype=np.uint8) for text in pipe.execute())
        ids = np.flatnonzero(np.unpackbits(held & ~removed))
        codes = region[ids].astype(np.uint16) * len(BANDS) + BAND_OF_AGE[age[ids]]
        return [(*divmod(cell, len(BANDS)), n) for cell, n in enumerate(np.bincount(codes))]

    def q10(self):
        pipe = self.db.pipeline(transaction=False)
        pipe.bitop("AND", "tmp:a", "t7", "gender:0")
        for tag in range(self.flat.tags):
            pipe.bitop("AND", "tmp:b", "tmp:a", f"t{tag}").bitcount("tmp:b")
        return list(enumerate(pipe.execute()[2::2]))

    def q11(self):
        pipe = self.db.pipeline(transaction=False)
        pipe.bitop("OR", "tmp:a", *(f"age:{age}" for age in range(30, 91)))
        pipe.bitop("AND", "tmp:a", "tmp:a", "t2")
        for source in range(12):
            pipe.bitop("AND", "tmp:b", "tmp:a", f"source:{source}").bitcount("tmp:b")
            for at in range(self.slices):
                pipe.bitop("AND", "tmp:c", "tmp:b", f"spend:{at}").bitcount("tmp:c")
        counts = iter(pipe.execute()[3::2])
        return [
            (source, next(counts), sum(next(counts) << at for at in range(self.slices)))
            for source in range(12)
        ]

    def q11_column(self):
        ids = numbers(self.db.get("t2"))
        age, source, spend = self.columns("age", "source", "spend_90d")
        ids = ids[age[ids] >= 30]
        counts = np.bincount(source[ids])
        sums = np.bincount(source[ids], weights=spend[ids])
        return list(zip(range(len(counts)), counts, sums))

    def portrait(self, user):
        pipe = self.db.pipeline(transaction=False)
        for tag in range(self.flat.tags):
            pipe.getbit(f"t{tag}", user)
        for name, kind in segbench.COLUMNS.items():
            width = np.dtype(kind).itemsize
            pipe.getrange(f"column:{name}", user * width, user * width + width - 1)
        return pipe.execute()

    def portrait_rows(self, user, answers):
        tags, texts = answers[: self.flat.tags], answers[self.flat.tags :]
        values = {name: int.from_bytes(text, "little") for name, text in zip(segbench.COLUMNS, texts)}
        return self.flat.portrait_rows(user, values, [tag for tag, held in enumerate(tags) if held])

    def writes(self):
        """W1: SADD by redis-benchmark, which cannot write an offset for SETBIT, on a server that
        syncs its log before it answers."""
        self.close()
        self.server = Server(self.scratch, ["--appendonly", "yes", "--appendfsync", "always"])
        return [self.rate(connections) for connections in [1, 16, 64]]

    def rate(self, connections):
        requests = 2_000
        while True:
            seconds, rate, median, p99 = self.benchmark(connections, requests)
            if seconds >= WRITE_SECONDS / 2:
                latency = {"runs": requests, "min_ms": median, "median_ms": median, "p99_ms": p99}
                return {"connections": connections, "per_second": rate, "latency": latency}
            requests = int(requests * min(20, WRITE_SECONDS / max(seconds, 0.01)))

    def benchmark(self, connections, requests):
        command = ["redis-benchmark", "-p", str(self.server.port), "-c", str(connections)]
        command += ["-n", str(requests), "-r", str(self.flat.users), "--csv"]
        command += ["SADD", "w1", "__rand_int__"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        row = list(csv.DictReader(io.StringIO(text)))[-1]
        rate = float(row["rps"])
        return requests / rate, rate, float(row["p50_latency_ms"]), float(row["p99_latency_ms"])


if __name__ == "__main__":
    segbench.run(
        "redis",
        Redis,
        "over loopback, each question one pipeline; a bitmap string for each tag, gender, region, "
        "source, age and bit of spend_90d, the attributes as packed strings as well; W1 by "
        "redis-benchmark with appendonly and appendfsync always",
    )
