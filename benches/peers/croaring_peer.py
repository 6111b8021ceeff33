"""CRoaring, in process: a bitmap for each tag, value and age, and numpy columns beside them.

What somebody builds who does without a server. One thread, as the library has it; no keys: users
are numbers.
"""

import segbench
from segbench import AGE_BOUNDS, BAND_OF_AGE, Form, Portraits

try:
    import numpy as np
    import pyroaring
    from pyroaring import BitMap
except ImportError as error:
    segbench.missing("croaring", str(error))


def bitmap(ids):
    # The library takes an array as a buffer of 32-bit numbers, without a loop in Python.
    made = BitMap(np.ascontiguousarray(ids, dtype=np.uint32))
    made.run_optimize()
    made.shrink_to_fit()
    return made


def array(found):
    return np.frombuffer(found.to_array(), dtype=np.uint32)


class Croaring:
    def __init__(self, flat, _scratch):
        self.flat = flat
        self.versions = {
            "croaring": pyroaring.__croaring_version__.lstrip("v"),
            "pyroaring": pyroaring.__version__,
            "numpy": np.__version__,
        }
        self.tags = [bitmap(flat.holders(tag)) for tag in range(flat.tags)]
        self.columns = {name: np.array(flat.column(name)) for name in segbench.COLUMNS}
        self.values = {
            name: [
                bitmap(np.flatnonzero(self.columns[name] == value))
                for value in range(int(self.columns[name].max()) + 1)
            ]
            for name in ["gender", "region", "age"]
        }

    def sizes(self):
        return {"memory_bytes": segbench.resident_bytes()}

    def questions(self):
        t, women = self.tags, self.values["gender"][0]
        return {
            "Q1": [
                Form("(t7 & f) &~ t1, counted", lambda: (t[7] & women).difference_cardinality(t[1])),
                Form("(t7 - t1) & f, counted", lambda: (t[7] - t[1]).intersection_cardinality(women)),
                Form("(f - t1) & t7, counted", lambda: (women - t[1]).intersection_cardinality(t[7])),
            ],
            "Q2": [Form("intersection_cardinality", lambda: t[0].intersection_cardinality(t[2]))],
            "Q3": [
                Form("or_many, then its length", lambda: len(BitMap.union(*t[100:150]))),
                Form("or into one, in turn", lambda: self.or_in_turn(t[100:150])),
            ],
            "Q4": self.q4(),
            "Q5": [
                Form("a network of and and or", self.q5),
                Form("or of pairs and thirds", self.q5_by_pairs),
            ],
            "Q6": [
                Form("whole, then the first 1,000", lambda: ((t[7] & women) - t[1])[:1000], self.ids),
                Form("range by range until 1,000", self.q6, segbench.users),
            ],
            "Q7": [Form("t20 to an array, spend by index", self.q7, segbench.users)],
            "Q8": [
                Form("three intersection_cardinality", self.q8, segbench.by_gender),
                Form("array, bincount", self.q8_by_column, segbench.by_gender),
            ],
            "Q9": [
                Form("array, columns by index, bincount", self.q9, segbench.by_region_and_band),
                Form("mask over the columns, bincount", self.q9_by_mask, segbench.by_region_and_band),
            ],
            "Q10": [Form("1,000 intersection_cardinality", self.q10, segbench.top_tags)],
            "Q11": [
                Form("array, columns by index, bincount", self.q11, segbench.by_source),
                Form("t2 & ages, array, bincount", self.q11_by_ages, segbench.by_source),
            ],
            "Q12": [Portraits("1,000 lookups", self.flat, self.portrait, self.portrait_rows)],
        }

    @staticmethod
    def ids(found):
        return segbench.users(found)

    @staticmethod
    def or_in_turn(bitmaps):
        found = bitmaps[0].copy()
        for other in bitmaps[1:]:
            found |= other
        return len(found)

    def q4(self):
        ages, r3, silent = self.values["age"][25:35], self.values["region"][3], self.tags[1]

        def by_age():
            within = r3 - silent
            return sum(within.intersection_cardinality(age) for age in ages)

        return [
            Form("r3 - t1, ten intersection_cardinality", by_age),
            Form(
                "or_many of ten ages, & r3, - t1",
                lambda: (BitMap.union(*ages) & r3).difference_cardinality(silent),
            ),
            Form(
                "r3 - t1, & or_many of ten ages",
                lambda: (r3 - silent).intersection_cardinality(BitMap.union(*ages)),
            ),
        ]

    def q5(self):
        a, b, c, d, e = self.tags[:5]
        both, either = a & b, a | b
        c_and_d, c_or_d = c & d, c | d
        three = c_and_d & e
        two = c_and_d | (e & c_or_d)
        one = c_or_d | e
        two &= either
        one &= both
        three |= two
        return three.union_cardinality(one)

    def q5_by_pairs(self):
        a, b, c, d, e = self.tags[:5]
        ab, cd = a & b, c & d
        found = ab & (c | d | e)
        found |= cd & (a | b | e)
        found |= ((a | b) & (c | d)) & e
        return len(found)

    def q6(self):
        women, found, width, first = self.values["gender"][0], [], 1 << 16, 0
        while len(found) < 1000 and first < self.flat.users:
            within = BitMap(range(first, first + width))
            within &= self.tags[7]
            within &= women
            within -= self.tags[1]
            found.extend(within)
            first, width = first + width, width * 2
        return found[:1000]

    def q7(self):
        ids = array(self.tags[20])
        return ids[self.columns["spend_90d"][ids] > 1000]

    def q8(self):
        within = self.tags[7] - self.tags[1]
        return [
            (code, within.intersection_cardinality(value))
            for code, value in enumerate(self.values["gender"])
        ]

    def q8_by_column(self):
        ids = array(self.tags[7] - self.tags[1])
        return list(enumerate(np.bincount(self.columns["gender"][ids])))

    def cells(self, region, age):
        codes = region.astype(np.uint16) * len(AGE_BOUNDS) + BAND_OF_AGE[age]
        return [(*divmod(cell, len(AGE_BOUNDS)), n) for cell, n in enumerate(np.bincount(codes))]

    def q9(self):
        ids = array(self.tags[0] - self.tags[5])
        return self.cells(self.columns["region"][ids], self.columns["age"][ids])

    def q9_by_mask(self):
        mask = np.zeros(self.flat.users, dtype=bool)
        mask[array(self.tags[0] - self.tags[5])] = True
        return self.cells(self.columns["region"][mask], self.columns["age"][mask])

    def q10(self):
        within = self.tags[7] & self.values["gender"][0]
        return [(tag, within.intersection_cardinality(held)) for tag, held in enumerate(self.tags)]

    def sums(self, ids):
        source = self.columns["source"][ids]
        counts = np.bincount(source)
        # Sums are exact: they stay below 2^53.
        sums = np.bincount(source, weights=self.columns["spend_90d"][ids])
        return list(zip(range(len(counts)), counts, sums))

    def q11(self):
        ids = array(self.tags[2])
        return self.sums(ids[self.columns["age"][ids] >= 30])

    def q11_by_ages(self):
        return self.sums(array(self.tags[2] & BitMap.union(*self.values["age"][30:])))

    def portrait(self, user):
        values = {name: int(column[user]) for name, column in self.columns.items()}
        return values, [tag for tag, held in enumerate(self.tags) if user in held]

    def portrait_rows(self, user, found):
        return self.flat.portrait_rows(user, *found)


if __name__ == "__main__":
    segbench.run(
        "croaring",
        Croaring,
        "in process, one thread, no server and no keys; a bitmap for each tag, gender, region and "
        "age, run_optimize'd; numpy columns for the attributes",
    )
