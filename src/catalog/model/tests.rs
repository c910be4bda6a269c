use super::*;
use crate::catalog::{Vendor, license};
use crate::money::Money;

fn found(vendor: Vendor, region: Option<&str>, upstream: &str) -> Option<&'static str> {
    find(vendor.facts().place(region).unwrap(), upstream).map(|model| model.id)
}

#[test]
fn all_two_hundred_and_sixteen_models_are_read() {
    let file: File = serde_json::from_str(include_str!("../models.json")).unwrap();
    assert_eq!(file.models.len(), 216);
    assert_eq!(models().len(), 216);
    let lists: Vec<_> = Vendor::ALL
        .iter()
        .flat_map(|vendor| &vendor.facts().places)
        .filter_map(|place| place.list)
        .collect();
    for (at, model) in file.models.iter().enumerate() {
        assert!(
            file.models[..at].iter().all(|other| other.id != model.id),
            "{}",
            model.id
        );
        assert!(lists.contains(&model.list()), "{} is of no vendor", model.id);
        assert!(license(model.license).is_some(), "{}", model.id);
        assert!(
            model.weights_license.is_none_or(|id| license(id).is_some()),
            "{}",
            model.id
        );
        assert!(
            model.dimensions.is_none() || model.kind == Kind::Embedding,
            "{}",
            model.id
        );
        assert_eq!(
            model.supply == SupplyRecord::Local,
            model.list() == "open",
            "{}",
            model.id
        );
    }
    assert_eq!(file.models.iter().filter(|model| !model.unsure.is_empty()).count(), 57);
}

#[test]
fn all_prices_are_whole() {
    let prices: Vec<_> = models().iter().flat_map(|model| &model.prices).collect();
    assert_eq!(prices.len(), 156);
    assert_eq!(prices.iter().map(|price| price.tiers.len()).sum::<usize>(), 205);
    for price in prices {
        assert!(price.tiers[0].above == 0 && price.tiers.is_sorted_by_key(|tier| tier.above));
        assert!(price.tiers.iter().all(|tier| tier.input.is_some()));
        assert!(!price.source.is_empty() && price.as_of.parse::<Date>().is_ok());
        assert!(["USD", "CNY"].contains(&price.currency));
        for window in &price.windows {
            assert!(super::super::calendar(window.not_on).is_some());
        }
    }
}

#[test]
fn a_model_is_found_by_name_alias_and_without_its_date() {
    assert_eq!(
        found(Vendor::Dashscope, None, "qwen3.8-max"),
        Some("dashscope/qwen3.8-max")
    );
    assert_eq!(
        found(Vendor::Dashscope, None, "qwen3.8-max-0902"),
        Some("dashscope/qwen3.8-max")
    );
    for dated in [
        "qwen-flash-2025-07-28",
        "qwen-flash-0728",
        "qwen-flash-latest",
        "qwen-flash-20250728",
    ] {
        assert_eq!(
            found(Vendor::Dashscope, None, dated),
            Some("dashscope/qwen-flash"),
            "{dated}"
        );
    }
    assert_eq!(
        found(Vendor::Dashscope, None, "qwen-plus-latest"),
        Some("dashscope/qwen-plus-latest")
    );
    assert_eq!(found(Vendor::Dashscope, None, "qwen9"), None);
    assert_eq!(
        found(Vendor::Fireworks, None, "accounts/fireworks/models/kimi-k3"),
        Some("fireworks/kimi-k3")
    );
    assert_eq!(
        found(Vendor::Groq, None, "openai/gpt-oss-20b"),
        Some("groq/gpt-oss-20b")
    );
    assert_eq!(found(Vendor::Azure, None, "gpt-6-sol"), Some("azure/gpt-6-sol"));
}

#[test]
fn a_region_has_its_own_list_and_its_own_prices() {
    assert_eq!(
        found(Vendor::Dashscope, Some("cn"), "qwen-plus"),
        Some("dashscope-cn/qwen-plus")
    );
    assert_eq!(
        found(Vendor::Dashscope, Some("cn"), "qwen3-coder-plus"),
        Some("dashscope/qwen3-coder-plus"),
        "capabilities are those of the other list"
    );
    let cn = Vendor::Dashscope.facts().place(Some("cn")).unwrap();
    let coder = find(cn, "qwen3-coder-plus").unwrap();
    assert_eq!(coder.prices_at(cn).count(), 0, "and prices are not");
    let (intl, cn) = (
        Vendor::Deepseek.facts().place(None).unwrap(),
        Vendor::Deepseek.facts().place(Some("cn")).unwrap(),
    );
    let currencies = |place| {
        let model = find(place, "deepseek-flash").unwrap();
        model.prices_at(place).map(|price| price.currency).collect::<Vec<_>>()
    };
    assert_eq!((currencies(intl), currencies(cn)), (vec!["USD"], vec!["CNY"]));
    let eu = Vendor::Openai.facts().place(Some("eu")).unwrap();
    let price = find(eu, "gpt-5.6").unwrap().prices_at(eu).next().unwrap();
    assert_eq!(price.multipliers[eu.multiplier.unwrap()].billionths(), 1_100_000_000);
}

#[test]
fn local_servers_spell_models_their_own_way() {
    for (vendor, spelling) in [
        (Vendor::Ollama, "qwen3:4b"),
        (Vendor::Ollama, "qwen3:4b-q4_K_M"),
        (Vendor::LlamaCpp, "Qwen3-4B-Q4_K_M.gguf"),
        (Vendor::LlamaCpp, "/models/qwen3-4b.gguf"),
        (Vendor::Vllm, "Qwen/Qwen3-4B"),
        (Vendor::Sglang, "Qwen/Qwen3-4B-AWQ"),
    ] {
        assert_eq!(found(vendor, None, spelling), Some("open/Qwen3-4B"), "{spelling}");
    }
    assert_eq!(
        found(Vendor::OpenaiCompatible, None, "qwen3-4b"),
        None,
        "whose server it is, nobody knows"
    );
}

#[test]
fn an_ended_name_says_when() {
    let place = Vendor::Deepseek.facts().place(None).unwrap();
    let model = find(place, "deepseek-chat").unwrap();
    assert_eq!(
        (model.id, model.name_ended("deepseek-chat")),
        ("deepseek/deepseek-flash", Some("2026-07-24"))
    );
    assert_eq!(model.name_ended("deepseek-flash"), None);
}

#[test]
fn an_announced_rise_has_its_day() {
    let place = Vendor::Gemini.facts().place(None).unwrap();
    let argon = find(place, "gemini-4-argon").unwrap();
    let input = |day: &str| {
        let price = argon
            .prices_at(place)
            .find(|price| price.holds_on(day.parse().unwrap()))
            .unwrap();
        price.tiers[0].input.unwrap().nanos_per_million()
    };
    let usd = |units: &str| Money::parse(units).unwrap().nanos();
    assert_eq!((input("2026-11-30"), input("2026-12-01")), (usd("2"), usd("4")));
}
