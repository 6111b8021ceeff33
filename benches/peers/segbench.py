"""What SegBench's peers share: the flat files, the timing, and the report on standard output.

Knows the data's form and the report's. Does not know how any peer answers. A peer offers one or
several forms of each question; the fastest of them is timed, so that a peer is seen at its best.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

GENDERS = ["f", "m", "x"]
AGE_BOUNDS = [13, 18, 25, 35, 45, 55]
BANDS = ["13..17", "18..24", "25..34", "35..44", "45..54", ">=55"]
# The band of each age.
BAND_OF_AGE = np.array(
    [max(0, sum(bound <= age for bound in AGE_BOUNDS) - 1) for age in range(256)], dtype=np.uint8
)
COLUMNS = {
    "gender": np.uint8,
    "age": np.uint8,
    "region": np.uint8,
    "industry": np.uint8,
    "source": np.uint8,
    "device": np.uint8,
    "signup_day": np.uint16,
    "last_seen_day": np.uint16,
    "spend_90d": np.uint32,
}
# How a code of an enum is called.
PREFIXES = {"region": "r", "industry": "i", "source": "s", "device": "d"}
CHUNK_USERS = 1_000_000
# Tags that the questions name, other than by asking for all of them.
NAMED_TAGS = [0, 1, 2, 3, 4, 5, 7, 20, *range(100, 150)]
# Words of 64 tags each that hold them.
WORDS = 3


class Flat:
    """The data as the generator's flat files, mapped and not read."""

    def __init__(self, directory):
        self.directory = Path(directory)
        meta = json.loads((self.directory / "meta.json").read_text())
        self.users = meta["users"]
        self.tags = meta["tags"]
        self.portrayed = meta["portrayed"]

    def column(self, name):
        kind = COLUMNS[name]
        bits = np.dtype(kind).itemsize * 8
        return np.memmap(self.directory / f"{name}.u{bits}", dtype=kind, mode="r")

    def holders(self, tag):
        path = self.directory / "tags" / f"t{tag}.u32"
        if path.stat().st_size == 0:
            return np.empty(0, dtype=np.uint32)
        return np.memmap(path, dtype=np.uint32, mode="r")

    def tag_counts(self):
        return np.memmap(self.directory / "tag_counts.u16", dtype=np.uint16, mode="r")

    def tag_lists(self):
        return np.memmap(self.directory / "tag_lists.u16", dtype=np.uint16, mode="r")

    def chunks(self):
        """First and end of each piece that fits into memory with room to spare."""
        for first in range(0, self.users, CHUNK_USERS):
            yield first, min(first + CHUNK_USERS, self.users)

    def arrow_chunks(self):
        """The users as Arrow tables: the columns, a boolean for each named tag, the first three
        words of 64 tags each, the list of tags."""
        import pyarrow as pa

        counts, lists, start = self.tag_counts(), self.tag_lists(), 0
        holders = {tag: self.holders(tag) for tag in NAMED_TAGS}
        for first, end in self.chunks():
            arrays = {"id": pa.array(np.arange(first, end, dtype=np.uint32))}
            for name in COLUMNS:
                arrays[name] = pa.array(self.column(name)[first:end])
            words = np.zeros((WORDS, end - first), dtype=np.uint64)
            for tag, users in holders.items():
                held = np.zeros(end - first, dtype=bool)
                low, high = np.searchsorted(users, [first, end])
                held[users[low:high] - np.uint32(first)] = True
                arrays[f"t{tag}"] = pa.array(held)
                words[tag // 64] |= held.astype(np.uint64) << np.uint64(tag % 64)
            for at, word in enumerate(words):
                arrays[f"w{at}"] = pa.array(word)
            offsets = np.zeros(end - first + 1, dtype=np.int32)
            np.cumsum(counts[first:end], out=offsets[1:])
            values = pa.array(lists[start : start + int(offsets[-1])])
            start += int(offsets[-1])
            arrays["tags"] = pa.ListArray.from_arrays(pa.array(offsets), values)
            yield pa.table(arrays)

    def portrait_rows(self, user, values, tags):
        """The rows of a portrait: values by attribute, numbers of tags."""
        rows = []
        for name in COLUMNS:
            value = values[name]
            if name == "gender":
                text = GENDERS[value]
            else:
                text = f"{PREFIXES.get(name, '')}{value}"
            rows.append([str(user), name, text])
        rows.extend([str(user), f"t{tag}", ""] for tag in sorted(tags))
        return rows


def number(count):
    return {"rows": [[str(int(count))]]}


def users(ids):
    return {"users": [int(user) for user in ids]}


def by_gender(counts):
    """Q8, from (code, count)."""
    return {"rows": [[GENDERS[int(g)], str(int(n))] for g, n in counts if int(n)]}


def by_region_and_band(counts):
    """Q9, from (region, band, count)."""
    return {
        "rows": [[f"r{int(r)}", BANDS[int(band)], str(int(n))] for r, band, n in counts if int(n)]
    }


def top_tags(counts):
    """Q10, from (tag, count) of all tags, or of more than the top with all ties."""
    ordered = sorted(((-int(n), f"t{int(tag)}") for tag, n in counts if int(n)))
    return {"rows": [[tag, str(-n)] for n, tag in ordered[:20]]}


def by_source(sums):
    """Q11, from (source, count, sum)."""
    return {
        "rows": [[f"s{int(s)}", str(int(t)), f"{int(t) / int(n):.6f}"] for s, n, t in sums if int(n)]
    }


def masks(tags):
    """The bits of these tags in each of the words that hold any."""
    for word in range(WORDS):
        mask = sum(1 << tag % 64 for tag in tags if tag // 64 == word)
        if mask:
            yield word, mask


class Form:
    """One way to ask: `ask` gives whatever the peer gives, complete; `solve` makes the answer of
    it, which is not timed."""

    def __init__(self, name, ask, solve=number):
        self.name, self.ask, self.solve = name, ask, solve


class Portraits:
    """Q12: each call asks for the next of the users; all of them are the answer."""

    def __init__(self, name, flat, one, rows):
        self.name, self.flat, self.one, self.rows, self.at = name, flat, one, rows, 0

    def ask(self):
        user = self.flat.portrayed[self.at % len(self.flat.portrayed)]
        self.at += 1
        return self.one(user)

    def solve(self, _):
        return {"rows": [row for user in self.flat.portrayed for row in self.rows(user, self.one(user))]}


def timed(ask):
    start = time.perf_counter()
    answer = ask()
    return answer, (time.perf_counter() - start) * 1e3


def measure(forms, runs):
    """Warms every form up, takes the one with the least time of three, and times it."""
    best = None
    for form in forms:
        form.ask()
        least = min(timed(form.ask)[1] for _ in range(3))
        log(f"  {form.name}: {least:.3f} ms")
        if best is None or least < best[0]:
            best = (least, form)
    form = best[1]
    times = []
    for _ in range(runs):
        answer, ms = timed(form.ask)
        times.append(ms)
    return {"form": form.name, "times_ms": times, "solution": form.solve(answer)}


def log(text):
    print(text, file=sys.stderr, flush=True)


def resident_bytes(pid="self"):
    """Memory of a process that is its own, not the system's to take back."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return None


def available_bytes():
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def directory_bytes(directory):
    return sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file())


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--flat", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--runs", type=int, default=20)
    return parser.parse_args()


def missing(peer, why):
    """The peer is not on this machine."""
    print(json.dumps({"peer": peer, "missing": why}))
    sys.exit(0)


def run(peer, load, schema, files=Flat):
    """Loads from files of this kind and asks. `load(flat, scratch)` gives an object with `versions`, `questions()`,
    a dictionary of lists of forms or of a text that says why not, and perhaps `sizes()`,
    `writes()` and `close()`."""
    args = arguments()
    # The report alone may go to standard output, whatever a library prints there.
    out = os.dup(1)
    os.dup2(2, 1)
    flat = files(args.flat)
    start = time.perf_counter()
    engine = load(flat, Path(args.scratch))
    report = {
        "peer": peer,
        "versions": engine.versions,
        "schema": schema,
        "load": {"seconds": time.perf_counter() - start, **engine.sizes()},
        "questions": {},
    }
    log(f"{peer}: loaded in {report['load']['seconds']:.1f} s")
    try:
        for question, forms in engine.questions().items():
            if isinstance(forms, str):
                report["questions"][question] = {"skipped": forms}
                continue
            log(f"{peer}: {question}")
            report["questions"][question] = measure(forms, args.runs)
            median = statistics.median(report["questions"][question]["times_ms"])
            log(f"{peer}: {question} {median:.3f} ms")
        if hasattr(engine, "writes"):
            report["writes"] = engine.writes()
    finally:
        if hasattr(engine, "close"):
            engine.close()
    with os.fdopen(out, "w") as stream:
        json.dump(report, stream)
