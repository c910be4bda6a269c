//! What a request needed as the ledger keeps it with the decision, and back: all but the caller and what has a column of
//! its own. Reads what earlier versions wrote.

use crate::money::Money;
use crate::request::{Requirements, Thinking};
use serde_json::{Value, json};

pub(super) fn write_needs(needs: &Requirements) -> String {
    let thinking = match needs.thinking {
        Thinking::Unstated => Value::Null,
        Thinking::Off => json!(false),
        Thinking::On => json!(true),
        Thinking::Budget(tokens) => json!(tokens),
    };
    let mut value = json!({
        "output": needs.output_bound,
        "choices": (needs.choices > 1).then_some(needs.choices),
        "thinking": thinking,
        "tools": needs.tools.then_some(true),
        "images": needs.images.then_some(true),
        "audio": needs.audio.then_some(true),
        "json_schema": needs.json_schema.then_some(true),
        "min_quality": needs.min_quality,
        "max_cost": needs.max_cost.map(|cost| cost.to_string()),
    });
    if let Value::Object(entries) = &mut value {
        entries.retain(|_, value| !value.is_null());
    }
    value.to_string()
}

pub(super) fn read_needs(text: &str) -> Requirements {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let is = |key: &str| value[key] == true;
    Requirements {
        output_bound: value["output"].as_u64(),
        choices: value["choices"].as_u64().unwrap_or(1),
        thinking: match &value["thinking"] {
            Value::Bool(true) => Thinking::On,
            Value::Bool(false) => Thinking::Off,
            other => other.as_u64().map_or(Thinking::Unstated, Thinking::Budget),
        },
        tools: is("tools"),
        images: is("images"),
        audio: is("audio"),
        json_schema: is("json_schema"),
        min_quality: value["min_quality"]
            .as_u64()
            .and_then(|quality| u8::try_from(quality).ok()),
        max_cost: value["max_cost"].as_str().and_then(Money::parse),
        ..Requirements::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_needed_is_read_back_as_it_was() {
        for needs in [
            Requirements {
                choices: 1,
                ..Requirements::default()
            },
            Requirements {
                output_bound: Some(500),
                choices: 2,
                thinking: Thinking::Budget(1_000),
                tools: true,
                images: true,
                audio: true,
                json_schema: true,
                min_quality: Some(70),
                max_cost: Money::parse("0.05"),
                ..Requirements::default()
            },
            Requirements {
                choices: 1,
                thinking: Thinking::Off,
                ..Requirements::default()
            },
        ] {
            assert_eq!(read_needs(&write_needs(&needs)), needs);
        }
        assert_eq!(read_needs("").choices, 1, "recorded before needs were");
    }
}
