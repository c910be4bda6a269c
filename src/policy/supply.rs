//! What kind of dependence a model is; not where it runs.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Supply {
    Licensed,
    Competitor,
    Local,
}

impl Supply {
    pub const ALL: [Self; 3] = [Self::Licensed, Self::Competitor, Self::Local];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Licensed => "licensed",
            Self::Competitor => "competitor",
            Self::Local => "local",
        }
    }
}
