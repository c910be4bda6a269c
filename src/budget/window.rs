//! What an account spent and promised within a sliding window, bucket by bucket.

use super::spent::Spent;
use crate::money::Money;
use crate::period::Rolling;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    number: i64,
    /// As [`super::account::Account`] tells them apart.
    base: Spent,
    own: Spent,
    reserved: Money,
}

/// The buckets of one block, in their order; those in which nothing happened are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets(Vec<Bucket>);

impl Buckets {
    /// What counts at a bucket, of what was spent and of what is promised.
    pub(super) fn within(&self, now: i64) -> (Spent, Money) {
        let counted = self.0.iter().filter(|bucket| Rolling::counts(bucket.number, now));
        counted.fold((Spent::default(), Money::ZERO), |(spent, reserved), bucket| {
            let spent = spent.plus(bucket.base).plus(bucket.own);
            (spent, reserved.plus(bucket.reserved))
        })
    }

    pub(super) fn reserve(&mut self, number: i64, worst: Money) {
        let bucket = self.at(number);
        bucket.reserved = bucket.reserved.plus(worst);
    }

    pub(super) fn release(&mut self, number: i64, worst: Money) {
        let bucket = self.at(number);
        bucket.reserved = bucket.reserved.minus(worst).max(Money::ZERO);
    }

    pub(super) fn spend(&mut self, number: i64, spent: Spent) {
        let bucket = self.at(number);
        bucket.own = bucket.own.plus(spent);
    }

    /// What the store knew of a bucket is another amount by now.
    pub(super) fn amend(&mut self, number: i64, spent: Spent) {
        let bucket = self.at(number);
        bucket.base = bucket.base.plus(spent);
    }

    /// The store's figures, in place of those known before.
    pub(super) fn rebuild(&mut self, found: &[(i64, Spent)]) {
        for bucket in &mut self.0 {
            bucket.base = Spent::default();
        }
        for (number, spent) in found {
            let bucket = self.at(*number);
            bucket.base = bucket.base.plus(*spent);
        }
    }

    /// What was spent in which.
    pub(super) fn spent(&self) -> Vec<(i64, Spent)> {
        let spent = |bucket: &Bucket| (bucket.number, bucket.base.plus(bucket.own));
        self.0.iter().map(spent).collect()
    }

    /// What is reserved over all buckets, for the proof of the sums.
    pub(super) fn reserved(&self) -> Money {
        self.0.iter().map(|bucket| bucket.reserved).sum()
    }

    fn at(&mut self, number: i64) -> &mut Bucket {
        // Nearly always the last one.
        let after = self.0.iter().rposition(|bucket| bucket.number <= number);
        let found = after.filter(|at| self.0.get(*at).is_some_and(|bucket| bucket.number == number));
        let place = found.unwrap_or_else(|| {
            let place = after.map_or(0, |at| at + 1);
            let (base, own, reserved) = (Spent::default(), Spent::default(), Money::ZERO);
            self.0.insert(
                place,
                Bucket {
                    number,
                    base,
                    own,
                    reserved,
                },
            );
            place
        });
        &mut self.0[place]
    }
}
