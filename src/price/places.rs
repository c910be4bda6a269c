//! Places on the axis of a ladder's volume, given out to attempts before it is known how many each will use.
//!
//! Each place belongs to one attempt at a time; what an attempt does not use is given to the next, lowest first. So
//! nobody is billed in a bracket that was not reserved for, whoever ends first, and in the end every bracket is full
//! before the next begins.

/// From the first, inclusive, to the last, exclusive.
pub(super) type Stretch = (u64, u64);

#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Behind everything that was ever given out and not given back.
    next: u64,
    /// Given back below that: in order, none touching another.
    gaps: Vec<Stretch>,
}

impl Places {
    /// As many as that are taken for good.
    pub const fn after(used: u64) -> Self {
        Self {
            next: used,
            gaps: Vec::new(),
        }
    }

    /// The lowest that nobody has.
    pub fn first(&self) -> u64 {
        self.gaps.first().map_or(self.next, |gap| gap.0)
    }

    /// From there on nobody has any.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// The lowest places, as many as that.
    pub fn take(&mut self, mut many: u64) -> Vec<Stretch> {
        let mut taken = Vec::new();
        while many > 0 {
            let (from, to) = match self.gaps.first().copied() {
                Some(gap) => gap,
                None => (self.next, u64::MAX),
            };
            let end = from.saturating_add(many).min(to);
            if end == from {
                break;
            }
            many -= end - from;
            match self.gaps.first_mut() {
                Some(gap) if end == to => {
                    gap.0 = to;
                    self.gaps.remove(0);
                }
                Some(gap) => gap.0 = end,
                None => self.next = end,
            }
            taken.push((from, end));
        }
        taken
    }

    pub fn give_back(&mut self, (from, to): Stretch) {
        if from >= to {
            return;
        }
        let at = self.gaps.partition_point(|gap| gap.0 < from);
        self.gaps.insert(at, (from, to));
        self.gaps.dedup_by(|later, earlier| {
            let touches = later.0 <= earlier.1;
            if touches {
                earlier.1 = earlier.1.max(later.1);
            }
            touches
        });
        if let Some((from, to)) = self.gaps.last().copied()
            && to == self.next
        {
            self.next = from;
            self.gaps.pop();
        }
    }
}

/// What is left of these after so many, in order.
pub(super) fn rest(places: &[Stretch], used: u64) -> impl Iterator<Item = Stretch> {
    places.iter().scan(used, |used, (from, to)| {
        let spent = (*used).min(to - from);
        *used -= spent;
        Some((from + spent, *to))
    })
}

pub(super) fn size(places: &[Stretch]) -> u64 {
    places.iter().map(|(from, to)| to - from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_one_does_not_use_is_the_next_ones() {
        let mut places = Places::after(10);
        let (first, second) = (places.take(100), places.take(100));
        assert_eq!(
            (first.as_slice(), second.as_slice()),
            (&[(10, 110)][..], &[(110, 210)][..])
        );
        rest(&first, 30).for_each(|stretch| places.give_back(stretch));
        assert_eq!((places.first(), places.next()), (40, 210));
        assert_eq!(places.take(100), [(40, 110), (210, 240)]);
        rest(&second, 0).for_each(|stretch| places.give_back(stretch));
        assert_eq!((places.first(), places.next()), (110, 240));
    }

    proptest! {
        #[test]
        fn every_place_is_had_once_and_all_that_were_used_lie_together_in_the_end(
            steps in prop::collection::vec((any::<bool>(), 0_u64..50, 0_u64..50), 1..60),
        ) {
            let (mut places, mut open, mut used) = (Places::default(), Vec::<Vec<Stretch>>::new(), Vec::<Stretch>::new());
            for (ends, many, uses) in steps {
                if ends && !open.is_empty() {
                    let mine = open.remove(many as usize % open.len());
                    let spent = uses.min(size(&mine));
                    let left: Vec<Stretch> = rest(&mine, spent).collect();
                    left.iter().for_each(|stretch| places.give_back(*stretch));
                    let kept = mine.iter().zip(&left).map(|((from, _), (to, _))| (*from, *to));
                    used.extend(kept.filter(|(from, to)| from < to));
                } else {
                    let taken = places.take(many);
                    prop_assert_eq!(size(&taken), many);
                    open.push(taken);
                }
                let mut all: Vec<Stretch> = used.iter().chain(open.iter().flatten()).copied().collect();
                all.sort_unstable();
                prop_assert!(all.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{all:?}");
            }
            for mine in open {
                mine.iter().for_each(|stretch| places.give_back(*stretch));
            }
            let free: u64 = places.gaps.iter().map(|(from, to)| to - from).sum();
            prop_assert_eq!(places.next - free, size(&used));
        }
    }
}
