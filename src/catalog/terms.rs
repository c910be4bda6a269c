//! A licence as recorded → the terms that the core judges by.

use super::licenses::{CeilingRecord, LicenseRecord};
use crate::license::{Count, Duty, DutyKind, License, Per, Revenue, Territory, TerritoryOf, Threshold, Use, Uses};
use crate::money::Currency;
use std::sync::Arc;

impl LicenseRecord {
    /// Without any fact of the operator's.
    pub fn terms(&self) -> License {
        License {
            uses: Uses::of(self.uses.iter().filter_map(|word| Use::parse(word))),
            except_territories: self
                .except_territories
                .iter()
                .filter_map(|code| Territory::parse(code))
                .collect(),
            territory_of: match self.territory_of {
                Some("licensee") => TerritoryOf::Licensee,
                _ => TerritoryOf::Use,
            },
            users: self.users_max.map(|max| Count {
                max: Some(max),
                ..Count::default()
            }),
            revenue: self.revenue.as_ref().map(CeilingRecord::clause),
            duties: self.duties(),
            over: self.over.map(Arc::from),
            unsure: self.unsure.iter().map(|what| Arc::from(*what)).collect(),
            ..License::open(Arc::from(self.id))
        }
    }

    fn duties(&self) -> Vec<Duty> {
        let above = self.display_above.as_ref().map(|above| Threshold {
            users: above.users,
            revenue: above.revenue.max,
        });
        let purposes = match self.prohibited.as_slice() {
            [] => None,
            prohibited => Some(format!("not for: {}", prohibited.join(", "))),
        };
        let policy = self
            .usage_policy
            .then(|| "keep to the policy of acceptable use that comes with it".to_owned());
        let told = |kind, text: Option<String>, above| {
            text.map(|text| Duty {
                kind,
                text: text.into(),
                above,
            })
        };
        [
            told(DutyKind::Display, self.display.map(str::to_owned), above),
            told(DutyKind::Notice, self.notice.map(str::to_owned), None),
            told(DutyKind::Outputs, self.outputs.map(str::to_owned), None),
            told(DutyKind::Purposes, purposes, None),
            told(DutyKind::Purposes, policy, None),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl CeilingRecord {
    fn clause(&self) -> Revenue {
        Revenue {
            max: Some(self.max),
            currency: Currency::parse(self.currency).unwrap_or(Currency::USD),
            per: Per::parse(self.per).unwrap_or(Per::Year),
            declared: None,
            as_of: None,
            only_service: self.only == Some("service"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::{license, licenses};
    use crate::license::{Ask, Breach, Counted, DutyKind, License, Service, Territory, Use, Uses};
    use crate::money::Money;
    use jiff::Timestamp;

    fn terms(id: &str) -> License {
        license(id).unwrap().terms()
    }

    fn permits(terms: &License, purpose: &str, territory: &str) -> Result<(), Breach> {
        terms.permits(Ask { purpose, territory }, Timestamp::UNIX_EPOCH)
    }

    fn duties(terms: &License) -> Vec<(DutyKind, &str)> {
        terms.duties_now().map(|duty| (duty.kind, duty.text.as_ref())).collect()
    }

    #[test]
    fn every_record_becomes_terms_without_losing_a_clause() {
        for record in licenses() {
            let terms = terms(record.id);
            assert_eq!(terms.uses.to_string(), record.uses.join(", "), "{}", record.id);
            assert_eq!(
                terms.except_territories.len(),
                record.except_territories.len(),
                "{}",
                record.id
            );
            assert_eq!(terms.users.is_some(), record.users_max.is_some(), "{}", record.id);
            assert_eq!(terms.revenue.is_some(), record.revenue.is_some(), "{}", record.id);
            let told = [record.display, record.notice, record.outputs];
            let told = told.iter().flatten().count();
            let purposes = usize::from(!record.prohibited.is_empty()) + usize::from(record.usage_policy);
            assert_eq!(terms.duties.len(), told + purposes, "{}", record.id);
            assert!(
                record.territory_of.is_none_or(|of| ["licensee", "use"].contains(&of)),
                "{}",
                record.id
            );
            assert_eq!(terms.unsure.len(), record.unsure.len(), "{}", record.id);
        }
    }

    #[test]
    fn permissive_licences_permit_everything() {
        for id in [
            "apache-2.0",
            "mit",
            "deepseek-v4",
            "vendor-api-terms",
            "nvidia-open",
            "minimax-modified-mit",
        ] {
            for purpose in ["", "commercial", "internal", "research"] {
                assert_eq!(permits(&terms(id), purpose, "EU"), Ok(()), "{id}");
            }
        }
    }

    #[test]
    fn research_licences_permit_research_alone_and_only_where_it_is_stated() {
        for id in [
            "qwen-research",
            "qwen-unverified",
            "minimax-noncommercial",
            "mistral-research",
            "mistral-nonproduction",
            "cc-by-nc-4.0",
        ] {
            let terms = terms(id);
            assert_eq!(permits(&terms, "research", ""), Ok(()), "{id}");
            let breach = |asked| {
                Err(Breach::Use {
                    asked,
                    permits: Uses::of([Use::Research]),
                })
            };
            assert_eq!(permits(&terms, "commercial", ""), breach(Some(Use::Commercial)), "{id}");
            assert_eq!(permits(&terms, "internal", ""), breach(Some(Use::Internal)), "{id}");
            assert_eq!(permits(&terms, "", ""), breach(None), "{id}");
        }
    }

    #[test]
    fn users_end_the_licences_that_count_them() {
        for (id, max) in [
            ("qwen-2024", 100_000_000),
            ("llama3", 700_000_000),
            ("llama3.2-vision", 700_000_000),
            ("llama4", 700_000_000),
            ("tencent-hunyuan-community", 100_000_000),
            ("tencent-hy-community", 100_000_000),
        ] {
            let mut terms = terms(id);
            assert_eq!(permits(&terms, "", ""), Ok(()), "{id}: nothing declared");
            let declare = |terms: &mut License, users| terms.users.as_mut().unwrap().declared = Some(users);
            declare(&mut terms, max);
            assert_eq!(permits(&terms, "", ""), Ok(()), "{id}: up to and including");
            declare(&mut terms, max + 1);
            let over = Breach::Over {
                what: Counted::Users,
                declared: max + 1,
                max,
            };
            assert_eq!(permits(&terms, "", ""), Err(over), "{id}");
        }
    }

    #[test]
    fn revenue_ends_the_licences_that_bound_it() {
        for (id, per) in [("minimax-community", "year"), ("mistral-modified-mit", "month")] {
            let mut terms = terms(id);
            let declare = |terms: &mut License, millions: i64| {
                let revenue = terms.revenue.as_mut().unwrap();
                assert_eq!(revenue.per.word(), per);
                revenue.declared = Money::parse(&format!("{millions}000000"));
            };
            declare(&mut terms, 20);
            assert_eq!(permits(&terms, "", ""), Ok(()), "{id}");
            declare(&mut terms, 21);
            assert!(matches!(permits(&terms, "", ""), Err(Breach::Revenue { .. })), "{id}");
        }
    }

    #[test]
    fn a_model_as_a_service_is_bounded_by_revenue_at_kimi_k3_alone() {
        let mut terms = terms("kimi-k3");
        terms.revenue.as_mut().unwrap().declared = Money::parse("30000000");
        assert_eq!(permits(&terms, "", ""), Ok(()), "no service is offered");
        terms.service.offered = true;
        assert!(matches!(permits(&terms, "", ""), Err(Breach::Revenue { .. })));
        terms.revenue.as_mut().unwrap().declared = Money::parse("10000000");
        assert_eq!(permits(&terms, "", ""), Ok(()));
        terms.service = Service {
            allowed: false,
            offered: true,
        };
        assert_eq!(permits(&terms, "", ""), Err(Breach::Service));
    }

    #[test]
    fn tencent_rules_out_use_in_three_territories() {
        for id in ["tencent-hunyuan-community", "tencent-hy-community"] {
            let terms = terms(id);
            for place in ["EU", "DE", "FR", "GB", "UK", "KR"] {
                let place = Territory::parse(place);
                assert_eq!(
                    permits(&terms, "", place.unwrap().code()),
                    Err(Breach::Territory { place }),
                    "{id}"
                );
            }
            for place in ["CN", "US", "CH", ""] {
                assert_eq!(permits(&terms, "", place), Ok(()), "{id} {place}");
            }
        }
    }

    #[test]
    fn llama_rules_out_licensees_of_the_union_and_not_their_users() {
        for id in ["llama3.2-vision", "llama4"] {
            let mut terms = terms(id);
            assert_eq!(permits(&terms, "", "DE"), Ok(()), "{id}: a user");
            terms.domicile = Territory::parse("DE");
            let place = terms.domicile;
            assert_eq!(
                permits(&terms, "", "US"),
                Err(Breach::Territory { place }),
                "{id}: the licensee"
            );
            terms.domicile = Territory::parse("CN");
            assert_eq!(permits(&terms, "", "DE"), Ok(()), "{id}");
        }
    }

    #[test]
    fn duties_are_told() {
        assert_eq!(duties(&terms("llama4")), [(DutyKind::Display, "'Built with Llama'")]);
        assert_eq!(
            duties(&terms("apache-2.0")),
            [(DutyKind::Notice, "keep the notices with the weights")]
        );
        let of = |id: &str| duties(&terms(id)).iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
        assert_eq!(of("qwen-2024"), [DutyKind::Notice, DutyKind::Outputs]);
        assert_eq!(
            of("muse-spark-open"),
            [DutyKind::Display, DutyKind::Outputs, DutyKind::Purposes]
        );
        assert_eq!(
            of("gemma-terms"),
            [DutyKind::Notice, DutyKind::Outputs, DutyKind::Purposes]
        );
        assert_eq!(of("minimax-community"), [DutyKind::Display, DutyKind::Notice]);
        let noncommercial = terms("minimax-noncommercial");
        assert!(duties(&noncommercial).contains(&(DutyKind::Purposes, "not for: military")));
    }

    #[test]
    fn the_duty_of_kimi_begins_above_its_thresholds() {
        let mut terms = terms("kimi-modified-mit");
        assert_eq!(duties(&terms), []);
        terms.users = Some(crate::license::Count {
            declared: Some(100_000_001),
            ..Default::default()
        });
        assert_eq!(duties(&terms).len(), 1);
        assert_eq!(permits(&terms, "", ""), Ok(()), "a duty, not a ban");
    }
}
