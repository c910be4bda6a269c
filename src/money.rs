//! Integer money: nano-units (1e-9 of a currency unit) in `i64`, products in `i128`.
//!
//! Promises that no amount ever passes through floating point and that every rounding names its direction.
//! It knows nothing of prices, budgets or exchange rates; those are a [`Ratio`] like any other.

mod ratio;

pub use ratio::Ratio;

use std::borrow::Cow;
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

    /// Whole units, for conditions and metrics; never fed back into an amount.
    pub fn as_number(self) -> f64 {
        self.0 as f64 / NANOS_PER_UNIT as f64
    }

    /// Reads `12`, `0.25`, `1,234.5`. At most nine decimals; `None` on anything else or out of range. A comma is never
    /// a decimal point: see [`ungrouped`].
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let digits = ungrouped(digits)?;
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
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

/// A number without the marks between its thousands: `1,234.5` and `1_234.5` are `1234.5`. `None` where a comma or an
/// underscore parts anything else: `12,50` is twelve and a half to whoever wrote it, and must not become 1250.
pub fn ungrouped(number: &str) -> Option<Cow<'_, str>> {
    let Some(mark) = [',', '_'].into_iter().find(|mark| number.contains(*mark)) else {
        return Some(Cow::Borrowed(number));
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (first, rest) = whole.split_once(mark)?;
    // `0,500` can only be a decimal comma.
    let begins = (1..=3).contains(&first.len()) && all_digits(first) && !first.starts_with('0');
    let goes_on = rest.split(mark).all(|group| group.len() == 3 && all_digits(group));
    (begins && goes_on && all_digits(fraction)).then(|| Cow::Owned(number.replace(mark, "")))
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
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

/// An exact sum of things × rates, still over the million; rounded once by one of the functions below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exact(u128);

impl Exact {
    #[must_use]
    pub fn plus(self, tokens: u64, rate: Rate) -> Self {
        let product = u128::from(tokens).saturating_mul(u128::from(rate.0.unsigned_abs()));
        Self(self.0.saturating_add(product))
    }

    /// An amount that is not by the million.
    pub fn of(amount: Money) -> Self {
        Self(u128::from(amount.0.unsigned_abs()) * TOKENS_PER_RATE as u128)
    }

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    #[must_use]
    pub fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(u128::from(factor)))
    }

    /// A price for an hour over a span, among `shares`. A measured time is no exact number: the part below a millionth of
    /// a nano-unit is rounded up.
    #[must_use]
    pub fn of_time(per_hour: Money, span: std::time::Duration, shares: u64) -> Self {
        const HOUR: u128 = 3_600 * 1_000_000_000;
        let nanos = u128::from(per_hour.0.unsigned_abs()).saturating_mul(span.as_nanos());
        let divisor = HOUR / TOKENS_PER_RATE as u128 * u128::from(shares.max(1));
        Self(nanos.div_ceil(divisor))
    }

    /// For reservations: never below the exact amount.
    pub fn rounded_up(self) -> Money {
        self.rounded_up_at(Ratio::ONE, 1)
    }

    /// For settlement: half to even, so that many small bills do not drift.
    pub fn rounded_half_even(self) -> Money {
        self.rounded_half_even_at(Ratio::ONE, 1)
    }

    /// `self × ratio / divisor`, rounded up once.
    pub fn rounded_up_at(self, ratio: Ratio, divisor: u64) -> Money {
        let (whole, rest) = ratio::scaled(self.0, ratio.numerator(), over(ratio, divisor));
        clamped(whole.saturating_add(u128::from(rest != 0)))
    }

    /// `self × ratio / divisor`, rounded half to even once.
    pub fn rounded_half_even_at(self, ratio: Ratio, divisor: u64) -> Money {
        let over = over(ratio, divisor);
        let (whole, rest) = ratio::scaled(self.0, ratio.numerator(), over);
        let up = match (rest * 2).cmp(&over) {
            std::cmp::Ordering::Greater => 1,
            std::cmp::Ordering::Equal => whole % 2,
            std::cmp::Ordering::Less => 0,
        };
        clamped(whole.saturating_add(up))
    }

    /// The largest sum that, at this ratio and divisor, costs no more than `money`.
    pub fn within(money: Money, ratio: Ratio, divisor: u64) -> Self {
        if ratio.numerator() == 0 {
            return Self(u128::MAX);
        }
        let money = u128::from(money.0.max(0).unsigned_abs());
        // A factor of 64 bits at a time: the divisor first, the million and the other divisor after it.
        let million = money.saturating_mul(TOKENS_PER_RATE as u128 * u128::from(divisor.max(1)));
        let (whole, _) = ratio::scaled(million, ratio.denominator(), u128::from(ratio.numerator()));
        Self(whole)
    }

    /// How many tokens at `rate`, each `times` over, are in it beyond `spent`; `None` when they are free.
    pub fn tokens_beyond(self, spent: Self, rate: Rate, times: u64) -> Option<u64> {
        let each = u128::from(rate.0.unsigned_abs()).saturating_mul(u128::from(times));
        if each == 0 {
            return None;
        }
        let (tokens, _) = ratio::divided(self.0.saturating_sub(spent.0), each);
        Some(u64::try_from(tokens).unwrap_or(u64::MAX))
    }
}

fn over(ratio: Ratio, divisor: u64) -> u128 {
    TOKENS_PER_RATE as u128 * u128::from(ratio.denominator()) * u128::from(divisor.max(1))
}

fn clamped(nanos: u128) -> Money {
    Money(i64::try_from(nanos).unwrap_or(i64::MAX))
}

fn clamp(nanos: i128) -> i64 {
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
