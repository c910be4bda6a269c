//! What prepaid money a vendor says is left: asked by its free listing, read in the shape that the vendor gives it.
//!
//! Amounts are decimals with their currency; nothing is converted here and nothing is guessed.

use super::connect::{Web, describe};
use crate::catalog::{BalanceListing, BalanceShape};
use crate::money::{Currency, Money};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(5);
/// A balance is a few lines.
const MOST: usize = 64 * 1024;

/// Asks the vendor at `base_url`'s host. `currency` is that of a shape which names none. `Err` says why there is no answer.
pub async fn ask(
    web: &Web,
    base_url: &str,
    listing: &BalanceListing,
    currency: Currency,
    key: &SecretString,
) -> Result<Vec<(Currency, Money)>, String> {
    let mut url: Url = base_url.parse().map_err(|_| "the address is not a URL".to_owned())?;
    url.set_path(listing.path);
    url.set_query(None);
    let request = web.request(Method::GET, url).map_err(|denied| denied.to_string())?;
    let answer = request.bearer_auth(key.expose_secret()).timeout(WITHIN).send().await;
    let mut answer = answer.map_err(describe)?;
    if !answer.status().is_success() {
        return Err(format!("answered {}", answer.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(describe)? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST {
            return Err("answered with more than a balance".to_owned());
        }
    }
    let body: Value = serde_json::from_slice(&body).map_err(|_| "answered with no JSON".to_owned())?;
    let found = read(listing.shape, &body, currency);
    if found.is_empty() {
        return Err("answered with no balance".to_owned());
    }
    Ok(found)
}

fn read(shape: BalanceShape, body: &Value, currency: Currency) -> Vec<(Currency, Money)> {
    match shape {
        BalanceShape::Deepseek => {
            let infos = body["balance_infos"].as_array().into_iter().flatten();
            let one = |info: &Value| {
                let currency = Currency::parse(info["currency"].as_str()?)?;
                Some((currency, amount(&info["total_balance"])?))
            };
            infos.filter_map(one).collect()
        }
        BalanceShape::Moonshot => {
            let left = amount(&body["data"]["available_balance"]);
            left.map(|left| (currency, left)).into_iter().collect()
        }
        BalanceShape::Openrouter => {
            let data = &body["data"];
            let left = amount(&data["total_credits"])
                .zip(amount(&data["total_usage"]))
                .map(|(bought, used)| bought.minus(used));
            left.map(|left| (currency, left)).into_iter().collect()
        }
    }
}

/// A decimal as text or as a number; what is finer than a nano-unit is cut off.
fn amount(value: &Value) -> Option<Money> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    Money::parse(&format!("{whole}.{}", fraction.get(..fraction.len().min(9))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn usd(text: &str) -> (Currency, Money) {
        (Currency::USD, Money::parse(text).unwrap())
    }

    #[test]
    fn each_vendors_shape_is_read() {
        let deepseek = json!({"is_available": true, "balance_infos": [
            {"currency": "CNY", "total_balance": "110.00", "granted_balance": "10.00", "topped_up_balance": "100.00"},
            {"currency": "USD", "total_balance": "3.50", "granted_balance": "0", "topped_up_balance": "3.50"},
        ]});
        let cny = (Currency::parse("CNY").unwrap(), Money::parse("110").unwrap());
        assert_eq!(
            read(BalanceShape::Deepseek, &deepseek, Currency::USD),
            [cny, usd("3.5")]
        );
        let moonshot = json!({"code": 0, "data": {"available_balance": 49.58894, "voucher_balance": 46.58893, "cash_balance": 3.00001}});
        assert_eq!(
            read(BalanceShape::Moonshot, &moonshot, Currency::USD),
            [usd("49.58894")]
        );
        let openrouter = json!({"data": {"total_credits": 100.5, "total_usage": 25.751234567891}});
        assert_eq!(
            read(BalanceShape::Openrouter, &openrouter, Currency::USD),
            [usd("74.748765433")]
        );
    }

    #[test]
    fn what_is_no_balance_is_none() {
        for body in [
            json!({}),
            json!([]),
            json!({"balance_infos": [{"currency": "usd", "total_balance": "1"}]}),
            json!({"data": {"available_balance": "lots"}}),
        ] {
            for shape in [BalanceShape::Deepseek, BalanceShape::Moonshot, BalanceShape::Openrouter] {
                assert_eq!(read(shape, &body, Currency::USD), [], "{body}");
            }
        }
    }
}
