//! The export forms that are known, each by the names of its columns. A column has every name that was seen for it and no
//! other; what vendors call theirs is compared without case, spaces, underlines and the group before a slash.

use std::fmt;

/// An export of a vendor's console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Alibaba Cloud's bill details (费用明细), by billable item and day or hour.
    DashScope,
    OpenAiCost,
    OpenAiUsage,
    AnthropicCost,
    AnthropicUsage,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Day,
    /// The second choice where the first has nothing: a Unix time.
    Seconds,
    Model,
    /// What of the model is billed; model and item in one where a form has them so.
    Item,
    Quantity,
    Unit,
    Amount,
    Currency,
    Requests,
    Input,
    CacheRead,
    CacheWrite,
    CacheWriteLong,
    Output,
    Searches,
}

pub(super) struct Known {
    pub(super) column: Column,
    /// The surest first.
    pub(super) names: &'static [&'static str],
    /// Without it the form is another one.
    pub(super) needed: bool,
}

const fn needed(column: Column, names: &'static [&'static str]) -> Known {
    Known {
        column,
        names,
        needed: true,
    }
}

const fn also(column: Column, names: &'static [&'static str]) -> Known {
    Known {
        column,
        names,
        needed: false,
    }
}

const DASHSCOPE: [Known; 6] = [
    needed(
        Column::Day,
        &[
            "账单日期",
            "Billing Date",
            "消费时间",
            "Consumption Time",
            "Usage Start Time",
        ],
    ),
    needed(Column::Item, &["实例ID（出账粒度）", "实例ID", "Instance ID"]),
    needed(
        Column::Amount,
        &[
            "应付金额（含税）",
            "应付金额",
            "Pretax Amount",
            "Amount After Price Reduction",
            "Payable Amount",
        ],
    ),
    also(
        Column::Quantity,
        &["抵扣前用量", "用量", "Usage Before Deduction", "Usage"],
    ),
    also(Column::Unit, &["用量单位", "Usage Unit"]),
    also(Column::Currency, &["币种", "Currency"]),
];

const OPENAI_COST: [Known; 6] = [
    also(Column::Day, &["start_time_iso"]),
    also(Column::Seconds, &["start_time"]),
    needed(Column::Amount, &["amount_value"]),
    needed(Column::Currency, &["amount_currency"]),
    needed(Column::Item, &["line_item"]),
    also(Column::Quantity, &["quantity"]),
];

const OPENAI_USAGE: [Known; 7] = [
    also(Column::Day, &["start_time_iso"]),
    also(Column::Seconds, &["start_time"]),
    needed(Column::Model, &["model"]),
    needed(Column::Requests, &["num_model_requests"]),
    needed(Column::Input, &["input_tokens"]),
    needed(Column::Output, &["output_tokens"]),
    also(Column::CacheRead, &["input_cached_tokens"]),
];

const ANTHROPIC_COST: [Known; 4] = [
    needed(Column::Day, &["usage_date_utc"]),
    needed(Column::Model, &["model"]),
    needed(Column::Item, &["token_type"]),
    needed(Column::Amount, &["cost_usd"]),
];

const ANTHROPIC_USAGE: [Known; 8] = [
    needed(Column::Day, &["usage_date_utc"]),
    needed(Column::Model, &["model_version"]),
    needed(Column::Input, &["usage_input_tokens_no_cache"]),
    needed(Column::Output, &["usage_output_tokens"]),
    also(Column::CacheWrite, &["usage_input_tokens_cache_write_5m"]),
    also(Column::CacheWriteLong, &["usage_input_tokens_cache_write_1h"]),
    also(Column::CacheRead, &["usage_input_tokens_cache_read"]),
    also(Column::Searches, &["web_search_count"]),
];

impl Form {
    pub const ALL: [Self; 5] = [
        Self::DashScope,
        Self::OpenAiCost,
        Self::OpenAiUsage,
        Self::AnthropicCost,
        Self::AnthropicUsage,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::DashScope => "dashscope",
            Self::OpenAiCost => "openai-cost",
            Self::OpenAiUsage => "openai-usage",
            Self::AnthropicCost => "anthropic-cost",
            Self::AnthropicUsage => "anthropic-usage",
        }
    }

    /// As the policy calls the vendor.
    pub const fn vendor(self) -> &'static str {
        match self {
            Self::DashScope => "dashscope",
            Self::OpenAiCost | Self::OpenAiUsage => "openai",
            Self::AnthropicCost | Self::AnthropicUsage => "anthropic",
        }
    }

    /// In which the vendor's day begins.
    pub const fn zone(self) -> &'static str {
        match self {
            Self::DashScope => "Asia/Shanghai",
            _ => "UTC",
        }
    }

    /// What amounts are in where no column says it.
    pub const fn currency(self) -> Option<&'static str> {
        match self {
            Self::DashScope | Self::OpenAiUsage => None,
            _ => Some("USD"),
        }
    }

    pub const fn has_money(self) -> bool {
        !matches!(self, Self::OpenAiUsage | Self::AnthropicUsage)
    }

    pub(super) const fn columns(self) -> &'static [Known] {
        match self {
            Self::DashScope => &DASHSCOPE,
            Self::OpenAiCost => &OPENAI_COST,
            Self::OpenAiUsage => &OPENAI_USAGE,
            Self::AnthropicCost => &ANTHROPIC_COST,
            Self::AnthropicUsage => &ANTHROPIC_USAGE,
        }
    }

    /// Every name of every column, for the documentation.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.columns().iter().flat_map(|known| known.names.iter().copied())
    }

    /// The form of a header; nothing where no form's needed columns are all there.
    pub(super) fn of(header: &[&str]) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.missing(header).is_none())
    }

    /// The first needed column that a header has not.
    pub(super) fn missing(self, header: &[&str]) -> Option<&'static Known> {
        let absent = |known: &&Known| known.needed && place(known, header).is_none();
        let dated =
            |known: &Known| matches!(known.column, Column::Day | Column::Seconds) && place(known, header).is_some();
        self.columns().iter().find(absent).or_else(|| {
            let day = self.columns().first();
            day.filter(|_| !self.columns().iter().any(dated))
        })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Where a column stands, by the surest name that is there.
pub(super) fn place(known: &Known, header: &[&str]) -> Option<usize> {
    known.names.iter().find_map(|name| {
        let name = plain(name);
        header.iter().position(|cell| plain(cell) == name)
    })
}

/// `账单信息/实例ID（出账粒度）` as `实例id(出账粒度)`, `Billing Date` as `billingdate`.
fn plain(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    let wide = |character| match character {
        '（' => '(',
        '）' => ')',
        other => other,
    };
    let kept = name
        .chars()
        .filter(|character| !character.is_whitespace() && *character != '_');
    kept.flat_map(char::to_lowercase).map(wide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../docs/ledger.md");

    #[test]
    fn a_form_is_known_by_its_header_alone() {
        let of = |header: &str| Form::of(&header.split(',').collect::<Vec<_>>()).map(Form::word);
        for (header, form) in [
            (
                "账单信息/账单日期,资源信息/实例ID（出账粒度）,用量信息/用量,应付信息/应付金额（含税）",
                Some("dashscope"),
            ),
            (
                "Billing Date,Instance ID,Usage,Usage Unit,Pretax Amount,Currency",
                Some("dashscope"),
            ),
            (
                "start_time,end_time,amount_value,amount_currency,line_item,project_id",
                Some("openai-cost"),
            ),
            (
                "start_time_iso,model,num_model_requests,input_tokens,output_tokens",
                Some("openai-usage"),
            ),
            (
                "usage_date_utc,model,token_type,cost_usd,list_price_usd",
                Some("anthropic-cost"),
            ),
            (
                "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_output_tokens",
                Some("anthropic-usage"),
            ),
            ("amount_value,amount_currency,line_item", None),
            ("date,price", None),
        ] {
            assert_eq!(of(header), form, "{header}");
        }
    }

    #[test]
    fn the_page_names_every_column_that_is_read() {
        for form in Form::ALL {
            assert!(PAGE.contains(&format!("`{form}`")), "{form}");
            for name in form.names() {
                assert!(PAGE.contains(&format!("`{name}`")), "{form}: {name}");
            }
        }
    }
}
