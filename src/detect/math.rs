//! The few special functions that the statistics need.

/// `value`, or `otherwise` where it is not a number or infinite.
pub(crate) fn finite(value: f64, otherwise: f64) -> f64 {
    if value.is_finite() { value } else { otherwise }
}

/// How many nats `observed` exceeds `expected` by: the log-likelihood ratio of the Poisson rate seen to that expected; 0
/// where it does not exceed it.
pub fn poisson_llr(observed: f64, expected: f64) -> f64 {
    if observed <= expected { 0.0 } else { observed * (observed / expected.max(1e-9)).ln() - (observed - expected) }
}

/// ln Γ(x) for x > 0: Stirling's series after a shift to x ≥ 7 (Abramowitz & Stegun 6.1.41), error below 1e-9.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x.max(1e-9), 1.0);
    while x < 7.0 {
        shift *= x;
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0));
    (x - 0.5) * x.ln() - x + 0.918_938_533_204_672_7 + series - shift.ln()
}

/// The quantile of a Gamma(shape, rate 1) at `z` standard normal deviations (Wilson & Hilferty 1931).
pub(crate) fn gamma_quantile(shape: f64, z: f64) -> f64 {
    let shape = shape.max(1e-6);
    shape * (1.0 - 1.0 / (9.0 * shape) + z / (3.0 * shape.sqrt())).max(0.0).powi(3)
}

/// Log probability of `count` under a negative binomial of this mean and size (variance = mean + mean² / size).
pub(crate) fn negative_binomial(count: f64, mean: f64, size: f64) -> f64 {
    ln_gamma(count + size) - ln_gamma(size) - ln_gamma(count + 1.0)
        + size * (size / (size + mean)).ln()
        + if count > 0.0 { count * (mean / (size + mean)).ln() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_gamma_of_known_arguments() {
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-8);
        assert!((ln_gamma(11.0) - 3_628_800_f64.ln()).abs() < 1e-8);
    }

    #[test]
    fn the_gamma_quantile_is_near_the_exact_one() {
        // chi-squared with 1 and 20 degrees of freedom, upper 0.1%: 10.83 and 45.31.
        assert!((2.0 * gamma_quantile(0.5, 3.09) - 10.83).abs() < 0.5);
        assert!((2.0 * gamma_quantile(10.0, 3.09) - 45.31).abs() < 0.3);
    }

    #[test]
    fn a_negative_binomial_sums_to_one_and_keeps_its_mean() {
        let (mut total, mut mean) = (0.0, 0.0);
        for count in 0..400 {
            let p = negative_binomial(f64::from(count), 12.0, 4.0).exp();
            total += p;
            mean += p * f64::from(count);
        }
        assert!((total - 1.0).abs() < 1e-9 && (mean - 12.0).abs() < 1e-6);
    }
}
