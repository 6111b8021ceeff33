//! The random numbers of the generator: small, seeded, and the same on every machine.
//!
//! Not the `rand` crate's, because its streams may change between versions, and then the data
//! of an old result could not be made again.

use std::f64::consts::TAU;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub struct Stream(u64);

impl Stream {
    /// The stream of these coordinates: streams of different coordinates are independent.
    pub fn new(coordinates: [u64; 3]) -> Self {
        let mut state = 0x7e55_e7a0;
        for coordinate in coordinates {
            state = mix(state ^ mix(coordinate.wrapping_add(0x9e37_79b9_7f4a_7c15)));
        }
        Self(state)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A standard normal number (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    /// How many failures come before the next success of probability `p`, `0 < p < 1`.
    pub fn geometric(&mut self, p: f64) -> u64 {
        ((1.0 - self.unit()).ln() / (1.0 - p).ln()) as u64
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A choice among `0..n` with given weights, by the cumulative sums.
#[derive(Debug, Clone)]
pub struct Weighted(Vec<f64>);

impl Weighted {
    /// Weights 1/(k+1)^s: Zipf's law.
    pub fn zipf(n: usize, s: f64) -> Self {
        Self::new((0..n).map(|k| 1.0 / ((k + 1) as f64).powf(s)))
    }

    /// These weights, which need not sum to one.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let sums: Vec<f64> = weights
            .into_iter()
            .map(|w| {
                sum += w;
                sum
            })
            .collect();
        Self(sums.into_iter().map(|s| s / sum).collect())
    }

    /// One choice.
    pub fn choose(&self, stream: &mut Stream) -> u8 {
        let at = stream.unit();
        self.0
            .partition_point(|&sum| sum <= at)
            .min(self.0.len() - 1) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometric_skips_have_the_right_mean() {
        let mut stream = Stream::new([1, 2, 3]);
        let n = 100_000;
        let mean = (0..n).map(|_| stream.geometric(0.05) as f64).sum::<f64>() / f64::from(n);
        assert!((mean - 19.0).abs() < 0.5, "{mean}");
    }

    #[test]
    fn zipf_favours_the_first() {
        let weighted = Weighted::zipf(34, 1.1);
        let mut stream = Stream::new([7, 7, 7]);
        let mut counts = [0; 34];
        for _ in 0..100_000 {
            counts[usize::from(weighted.choose(&mut stream))] += 1;
        }
        assert!(
            counts[0] > counts[1] && counts[1] > counts[5] && counts[33] > 0,
            "{counts:?}"
        );
    }
}
