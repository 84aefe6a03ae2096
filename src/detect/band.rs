//! The band in which a count is expected to lie.

use super::LEAST;
use super::math::finite;

/// Counts beyond which the normal distribution is as good.
const LARGE: f64 = 400.0;
/// The standard normal's 95% quantile.
const Z95: f64 = 1.645;

/// The 90% band of a count with this mean, and with `dispersion` times a Poisson count's variance: its 5% and 95%
/// quantiles, of the negative binomial distribution with those moments.
pub fn band(mean: f64, dispersion: f64) -> (f64, f64) {
    let mean = finite(mean, 0.0).max(0.0);
    if mean < LEAST {
        return (0.0, 0.0);
    }
    let excess = (finite(dispersion, 1.0) - 1.0).max(1e-6);
    if mean > LARGE {
        let spread = Z95 * (mean * (1.0 + excess)).sqrt();
        return ((mean - spread).max(0.0), mean + spread);
    }
    // Each count's probability from the one before: P(k+1) = P(k) · (k + r) / (k + 1) · μ / (r + μ).
    let size = mean / excess;
    let mut probability = (-size * (mean / size).ln_1p()).exp();
    let (mut below, mut count, mut low) = (0.0, 0.0, None);
    loop {
        below += probability;
        if below >= 0.05 {
            low.get_or_insert(count);
        }
        if below >= 0.95 || count > 100.0 * LARGE {
            return (low.unwrap_or(count), count);
        }
        probability *= (count + size) / (count + 1.0) * mean / (size + mean);
        count += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::math::negative_binomial;

    #[test]
    fn quantiles_of_small_counts() {
        // Poisson(3): P(X = 0) = 0.0498, P(X <= 6) = 0.966, P(X <= 5) = 0.916.
        assert_eq!(band(3.0, 1.0), (1.0, 6.0));
        assert_eq!(band(0.01, 1.0), (0.0, 0.0));
        assert_eq!(band(0.0, 1.7), (0.0, 0.0));
        assert!(band(3.0, 4.0).1 > 6.0);
    }

    #[test]
    fn as_the_distribution_itself_has_it() {
        for (mean, dispersion) in [(0.3, 1.0), (7.0, 1.4), (120.0, 9.0), (399.0, 1.0)] {
            let (low, high) = band(mean, dispersion);
            let excess = f64::max(dispersion - 1.0, 1e-6);
            let below = |count: f64| -> f64 {
                (0..=count as i64).map(|k| negative_binomial(k as f64, mean, mean / excess).exp()).sum()
            };
            assert!(below(low) >= 0.05 && (low == 0.0 || below(low - 1.0) < 0.05), "{mean} {dispersion}: {low}");
            assert!(below(high) >= 0.95 && (high == 0.0 || below(high - 1.0) < 0.95), "{mean} {dispersion}: {high}");
        }
    }

    #[test]
    fn absurd_moments_have_a_band_too() {
        for (mean, dispersion) in [(f64::NAN, 1.0), (f64::INFINITY, 2.0), (-1.0, 0.0), (1e9, 50.0), (300.0, 1e9)] {
            let (low, high) = band(mean, dispersion);
            assert!(low >= 0.0 && high >= low, "{mean} {dispersion}: {low} {high}");
        }
    }
}
