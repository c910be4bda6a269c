//! Territories: countries by their ISO 3166 code, and the European Union as one.

use std::fmt;

/// Two capital letters; `EU` is all of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Territory([u8; 2]);

const EU: Territory = Territory(*b"EU");
/// State of 2026.
const MEMBERS: [&[u8; 2]; 27] = [
    b"AT", b"BE", b"BG", b"CY", b"CZ", b"DE", b"DK", b"EE", b"ES", b"FI", b"FR", b"GR", b"HR", b"HU", b"IE", b"IT",
    b"LT", b"LU", b"LV", b"MT", b"NL", b"PL", b"PT", b"RO", b"SE", b"SI", b"SK",
];

impl Territory {
    /// `DE`, `de`, `DE-BY` (the country counts), and the everyday `UK`.
    pub fn parse(text: &str) -> Option<Self> {
        let country = text.trim().split('-').next().unwrap_or_default();
        let letters: [u8; 2] = country.as_bytes().try_into().ok()?;
        let upper = letters.map(|letter| letter.to_ascii_uppercase());
        let known = upper.iter().all(u8::is_ascii_uppercase);
        known.then_some(Self(if upper == *b"UK" { *b"GB" } else { upper }))
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }

    /// All of it is covered by these.
    pub fn lies_within(self, places: &[Self]) -> bool {
        let covers = |one: Self| places.contains(&one) || one.is_member() && places.contains(&EU);
        covers(self) || self == EU && MEMBERS.iter().all(|member| covers(Self(**member)))
    }

    /// Some of it is covered by these.
    pub fn touches(self, places: &[Self]) -> bool {
        let within = self.lies_within(places);
        within || self == EU && places.iter().any(|place| place.is_member())
    }

    /// Everything that lies in `residence` lies in `wanted`; a residence that nobody knows lies nowhere.
    pub fn all_within(residence: &[Self], wanted: &[Self]) -> bool {
        !residence.is_empty() && residence.iter().all(|place| place.lies_within(wanted))
    }

    fn is_member(self) -> bool {
        MEMBERS.contains(&&self.0)
    }
}

impl fmt::Display for Territory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(codes: &[&str]) -> Vec<Territory> {
        codes.iter().map(|code| Territory::parse(code).unwrap()).collect()
    }

    fn place(code: &str) -> Territory {
        Territory::parse(code).unwrap()
    }

    #[test]
    fn codes_are_read_as_people_write_them() {
        assert_eq!(place("de"), place("DE"));
        assert_eq!(place("DE-BY"), place("DE"));
        assert_eq!(place("UK").code(), "GB");
        for text in ["", "D", "DEU", "1A", "Germany", "中国"] {
            assert_eq!(Territory::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_union_is_its_members() {
        assert!(place("DE").lies_within(&places(&["EU"])));
        assert!(place("EU").lies_within(&places(&["EU"])));
        assert!(!place("GB").lies_within(&places(&["EU"])));
        assert!(!place("EU").lies_within(&places(&["DE", "FR"])), "more than these two");
        assert!(place("EU").touches(&places(&["DE"])), "it may be Germany");
        assert!(!place("EU").touches(&places(&["GB", "KR"])));
        assert!(!place("CH").touches(&places(&["EU"])));
    }

    #[test]
    fn data_of_unknown_residence_lies_nowhere() {
        assert!(Territory::all_within(&places(&["DE"]), &places(&["EU"])));
        assert!(!Territory::all_within(&places(&["DE", "US"]), &places(&["EU"])));
        assert!(!Territory::all_within(&[], &places(&["EU"])));
    }
}
