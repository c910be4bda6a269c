//! Amounts as invoices write them: exact to 18 decimals, far below any vendor's own rounding. Never a float.

use crate::money::{Money, Ratio};
use std::fmt;

/// In 1e-18 of a unit; arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(i128);

const PLACES: u32 = 18;
const PER_NANO: i128 = 1_000_000_000;
/// More digits than any amount has, and few enough for what follows.
const MOST_DIGITS: usize = 30;

impl Decimal {
    pub const ZERO: Self = Self(0);

    /// `1234.5`, `-0.05`, `1.2e-05`, `0E-6176`, with the decimals that are written; a comma is a decimal point where the
    /// file says so, else it parts thousands. A sign of money before it is passed over.
    pub fn parse(text: &str, decimal_comma: bool) -> Option<(Self, u32)> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let text = text.trim_start_matches(['$', '¥', '￥', '€']).trim_start();
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (point, thousands) = if decimal_comma && digits.contains(',') {
            (',', '.')
        } else {
            ('.', ',')
        };
        let (whole, fraction) = digits.split_once(point).unwrap_or((digits, ""));
        let whole = whole.replace(thousands, "");
        let all = format!("{whole}{fraction}");
        let told = all.trim_start_matches('0');
        if all.is_empty() || !all.bytes().all(|digit| digit.is_ascii_digit()) || told.len() > MOST_DIGITS {
            return None;
        }
        let mantissa: i128 = if told.is_empty() { 0 } else { told.parse().ok()? };
        let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
        let value = scaled(mantissa, i64::from(PLACES) - scale)?;
        let places = u32::try_from(scale.clamp(0, i64::from(PLACES))).ok()?;
        Some((Self(if negative { -value } else { value }), places))
    }

    /// Half of the last of so many decimals.
    pub fn half_of_place(places: u32) -> Self {
        Self(10_i128.pow(PLACES.saturating_sub(places)) / 2)
    }

    pub const fn of(money: Money) -> Self {
        Self(money.nanos() as i128 * PER_NANO)
    }

    /// What so many tokens cost at nano-units a million, multiplied by a fraction.
    pub fn of_tokens(tokens: u64, nanos_per_million: i64, times: Ratio) -> Self {
        // A nano-unit a million tokens is 1e-15 of a unit.
        Self(
            i128::from(tokens)
                .saturating_mul(i128::from(nanos_per_million))
                .saturating_mul(1_000),
        )
        .times(times)
    }

    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    #[must_use]
    pub fn times(self, ratio: Ratio) -> Self {
        self.part(i128::from(ratio.numerator()), i128::from(ratio.denominator()))
    }

    /// So many times, for tolerances.
    #[must_use]
    pub fn many(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    /// `numerator / denominator` of it, half-even in the last place; zero of nothing.
    #[must_use]
    pub fn part(self, numerator: i128, denominator: i128) -> Self {
        if denominator == 0 {
            return Self::ZERO;
        }
        // The whole parts first, so that nothing overflows that fits in the end.
        let whole = (self.0 / denominator).saturating_mul(numerator);
        let rest = (self.0 % denominator).saturating_mul(numerator);
        Self(whole.saturating_add(half_even(rest, denominator)))
    }

    /// Half-even to a whole number.
    pub fn whole(self) -> i128 {
        half_even(self.0, 10_i128.pow(PLACES))
    }

    /// In 1e-18, for fractions of two amounts.
    pub const fn atoms(self) -> i128 {
        self.0
    }

    /// Half-even to nano-units.
    pub fn money(self) -> Money {
        let nanos = half_even(self.0, PER_NANO);
        Money::from_nanos(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Half-even to so many decimals.
    #[must_use]
    pub fn rounded(self, places: u32) -> Self {
        let unit = 10_i128.pow(PLACES.saturating_sub(places));
        Self(half_even(self.0, unit).saturating_mul(unit))
    }
}

impl std::iter::Sum for Decimal {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::plus)
    }
}

/// Without trailing zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 10_i128.pow(PLACES), (self.0 % 10_i128.pow(PLACES)).abs());
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{}", whole.abs())?;
        if fraction != 0 {
            write!(f, ".{}", format!("{fraction:018}").trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// `mantissa × 10^shift`, half-even where digits fall off.
fn scaled(mantissa: i128, shift: i64) -> Option<i128> {
    if mantissa == 0 {
        return Some(0);
    }
    let power = u32::try_from(shift.unsigned_abs()).ok()?;
    if shift >= 0 {
        return mantissa.checked_mul(10_i128.checked_pow(power)?);
    }
    Some(10_i128.checked_pow(power).map_or(0, |unit| half_even(mantissa, unit)))
}

fn half_even(value: i128, unit: i128) -> i128 {
    let (quotient, rest) = (value / unit, value % unit);
    let (twice, unit) = (rest.unsigned_abs().saturating_mul(2), unit.unsigned_abs());
    if twice > unit || (twice == unit && quotient % 2 != 0) {
        quotient + value.signum()
    } else {
        quotient
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<String> {
        Decimal::parse(text, false).map(|(amount, places)| format!("{amount} {places}"))
    }

    #[test]
    fn amounts_are_read_as_invoices_write_them() {
        for (text, told) in [
            ("0.8958740000000000", "0.895874 16"),
            ("1,234.5", "1234.5 1"),
            ("-0.05", "-0.05 2"),
            ("$2", "2 0"),
            ("-¥1.20", "-1.2 2"),
            ("1.2e-05", "0.000012 6"),
            ("0E-6176", "0 18"),
            ("12E3", "12000 0"),
            ("0.0000000000000000015", "0.000000000000000002 18"),
            ("0.0000000000000000025", "0.000000000000000002 18"),
        ] {
            assert_eq!(read(text).as_deref(), Some(told), "{text}");
        }
        for wrong in [
            "",
            "-",
            "abc",
            "1.2.3",
            "0x10",
            "1e",
            "NaN",
            "1e400",
            "--1",
            "9999999999999999999999999999999",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let comma = |text| Decimal::parse(text, true).unwrap().0.to_string();
        assert_eq!(
            (comma("0,05"), comma("1.234,5"), comma("0.05")),
            ("0.05".into(), "1234.5".into(), "0.05".into())
        );
    }

    #[test]
    fn parts_are_rounded_half_even_in_the_last_place() {
        let amount = |text| Decimal::parse(text, false).unwrap().0;
        assert_eq!(amount("10").part(1, 3).to_string(), "3.333333333333333333");
        assert_eq!(amount("1").times(Ratio::new(7, 50)).to_string(), "0.14");
        assert_eq!(
            Decimal::of_tokens(1_000_000, 2_000_000_000, Ratio::ONE).to_string(),
            "2"
        );
        assert_eq!(
            amount("0.0000000005").money(),
            Money::ZERO,
            "half of a nano-unit goes to the even one"
        );
        assert_eq!(Decimal::half_of_place(2).to_string(), "0.005");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(nanos in any::<i64>()) {
            let amount = Decimal::of(Money::from_nanos(nanos));
            let (again, _) = Decimal::parse(&amount.to_string(), false).unwrap();
            prop_assert_eq!(again, amount);
            prop_assert_eq!(again.money(), Money::from_nanos(nanos));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}", comma in any::<bool>()) {
            let _ = Decimal::parse(&text, comma);
        }
    }
}
