//! Exact fractions: percentages, multipliers and exchange rates, and a product with one of them, rounded once.
//!
//! Parts stay within 40 bits, so that two of them and a million fit one divisor. A product of many odd percentages that
//! would pass them is rounded up, by less than a millionth of a millionth.

/// A positive fraction in lowest terms, or zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

const MOST: u128 = 1 << 40;
const MILLION: u64 = super::TOKENS_PER_RATE as u64;

impl Ratio {
    pub const ONE: Self = Self {
        numerator: 1,
        denominator: 1,
    };

    /// A denominator of zero counts as one.
    pub fn new(numerator: u64, denominator: u64) -> Self {
        Self::reduced(u128::from(numerator), u128::from(denominator.max(1)))
    }

    /// From basis points: 10,000 is one.
    pub fn basis_points(points: u32) -> Self {
        Self::new(u64::from(points), 10_000)
    }

    #[must_use]
    pub fn times(self, other: Self) -> Self {
        if other == Self::ONE {
            return self;
        }
        Self::reduced(
            u128::from(self.numerator) * u128::from(other.numerator),
            u128::from(self.denominator) * u128::from(other.denominator),
        )
    }

    /// One over it; zero stays zero.
    #[must_use]
    pub const fn inverse(self) -> Self {
        if self.numerator == 0 {
            return self;
        }
        Self {
            numerator: self.denominator,
            denominator: self.numerator,
        }
    }

    pub const fn numerator(self) -> u64 {
        self.numerator
    }

    pub const fn denominator(self) -> u64 {
        self.denominator
    }

    pub const fn is_one(self) -> bool {
        self.numerator == self.denominator
    }

    /// The larger one.
    #[must_use]
    pub fn dearer(self, other: Self) -> Self {
        if other.exceeds(self) { other } else { self }
    }

    /// Is it the larger one?
    pub fn exceeds(self, other: Self) -> bool {
        u128::from(self.numerator) * u128::from(other.denominator)
            > u128::from(other.numerator) * u128::from(self.denominator)
    }

    fn reduced(numerator: u128, denominator: u128) -> Self {
        let divisor = divisor(numerator, denominator).max(1);
        let (mut numerator, mut denominator) = (numerator / divisor, denominator / divisor);
        while numerator > MOST || denominator > MOST {
            numerator = numerator.div_ceil(2);
            denominator = (denominator / 2).max(1);
        }
        // Both are within 40 bits here.
        Self {
            numerator: u64::try_from(numerator).unwrap_or(u64::MAX),
            denominator: u64::try_from(denominator).unwrap_or(1),
        }
    }
}

const fn divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Quotient and remainder. What people pay for a request fits 64 bits, which a processor divides by itself.
pub(super) fn divided(amount: u128, divisor: u128) -> (u128, u128) {
    match (u64::try_from(amount), u64::try_from(divisor)) {
        (Ok(amount), Ok(divisor)) => (u128::from(amount / divisor), u128::from(amount % divisor)),
        _ => (amount / divisor, amount % divisor),
    }
}

/// `amount × factor / divisor` as quotient and remainder, without loss however large the product. The divisor must stay
/// below 2^126.
pub(super) fn scaled(amount: u128, factor: u64, divisor: u128) -> (u128, u128) {
    if let (Ok(amount), Ok(divisor)) = (u64::try_from(amount), u64::try_from(divisor))
        && let Some(product) = amount.checked_mul(factor)
    {
        // What no factor changes is a million, by which a processor divides in a few multiplications.
        let (quotient, rest) = match divisor {
            MILLION => (product / MILLION, product % MILLION),
            _ => (product / divisor, product % divisor),
        };
        return (u128::from(quotient), u128::from(rest));
    }
    if let Some(product) = amount.checked_mul(u128::from(factor)) {
        return divided(product, divisor);
    }
    let (whole, part) = (amount / divisor, amount % divisor);
    let (mut quotient, mut rest) = (0_u128, 0_u128);
    for bit in (0..u64::BITS).rev() {
        (quotient, rest) = (quotient.saturating_mul(2), rest * 2);
        if factor >> bit & 1 == 1 {
            (quotient, rest) = (quotient.saturating_add(whole), rest + part);
        }
        while rest >= divisor {
            (quotient, rest) = (quotient.saturating_add(1), rest - divisor);
        }
    }
    (quotient, rest)
}
