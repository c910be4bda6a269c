//! Integer money: nano-units (1e-9 of a currency unit) in `i64`, products in `i128`.
//!
//! Promises that no amount ever passes through floating point and that every rounding names its direction.
//! It knows nothing of prices, budgets or exchange; a policy has one currency in this version.

use std::fmt;

/// Nano-units in one unit of a currency.
pub const NANOS_PER_UNIT: i64 = 1_000_000_000;
/// Prices are quoted per this many tokens, because a list rate is a whole number of nano-units only at that scale.
pub const TOKENS_PER_RATE: i128 = 1_000_000;

/// An amount in nano-units of the policy's currency. Range: ±9.2e9 units; arithmetic saturates at the ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

impl Money {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub const fn nanos(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self × numerator / denominator`, rounded towards negative infinity. `denominator` must be positive.
    #[must_use]
    pub fn scaled_down(self, numerator: i64, denominator: i64) -> Self {
        let product = i128::from(self.0) * i128::from(numerator);
        Self(clamp(product.div_euclid(i128::from(denominator.max(1)))))
    }

    /// The share `self / whole` for people and conditions; never fed back into an amount. `whole` of zero gives 1.
    pub fn share_of(self, whole: Self) -> f64 {
        if whole.0 == 0 {
            1.0
        } else {
            self.0 as f64 / whole.0 as f64
        }
    }

    /// Reads `12`, `0.25`, `1,234.5`. At most nine decimals; `None` on anything else or out of range.
    pub fn parse(text: &str) -> Option<Self> {
        let clean: String = text.trim().chars().filter(|c| *c != ',' && *c != '_').collect();
        let (negative, digits) = match clean.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, clean.as_str()),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty())
            || !all_digits(whole)
            || !all_digits(fraction)
            || fraction.len() > 9
        {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let scale = 10_i64.pow(9 - fraction.len() as u32);
        let fraction: i64 = if fraction.is_empty() {
            0
        } else {
            fraction.parse::<i64>().ok()? * scale
        };
        let nanos = whole.checked_mul(NANOS_PER_UNIT)?.checked_add(fraction)?;
        Some(Self(if negative { -nanos } else { nanos }))
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::plus)
    }
}

/// A decimal string without trailing zeros: `0.00042`, `2000`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let unit = NANOS_PER_UNIT.unsigned_abs();
        let (whole, fraction) = (magnitude / unit, magnitude % unit);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{fraction:09}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// Three capital letters as in ISO 4217.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    pub const USD: Self = Self(*b"USD");

    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Nano-units per million tokens. A list rate such as 0.003 USD/M is exact at this scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(i64);

impl Rate {
    pub const FREE: Self = Self(0);

    pub const fn per_million(amount: Money) -> Self {
        Self(amount.0)
    }

    pub const fn nanos_per_million(self) -> i64 {
        self.0
    }
}

/// An exact sum of tokens × rate, still over the million; rounded once by one of the two functions below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exact(i128);

impl Exact {
    #[must_use]
    pub fn plus(self, tokens: u64, rate: Rate) -> Self {
        Self(
            self.0
                .saturating_add(i128::from(tokens).saturating_mul(i128::from(rate.0))),
        )
    }

    /// For reservations: never below the exact amount.
    pub fn rounded_up(self) -> Money {
        Money(clamp(
            self.0.div_euclid(TOKENS_PER_RATE) + i128::from(self.0.rem_euclid(TOKENS_PER_RATE) != 0),
        ))
    }

    /// For settlement: half to even, so that many small bills do not drift.
    pub fn rounded_half_even(self) -> Money {
        let (whole, rest) = (self.0.div_euclid(TOKENS_PER_RATE), self.0.rem_euclid(TOKENS_PER_RATE));
        let up = match (rest * 2).cmp(&TOKENS_PER_RATE) {
            std::cmp::Ordering::Greater => 1,
            std::cmp::Ordering::Equal => whole.rem_euclid(2),
            std::cmp::Ordering::Less => 0,
        };
        Money(clamp(whole + up))
    }
}

fn clamp(nanos: i128) -> i64 {
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
