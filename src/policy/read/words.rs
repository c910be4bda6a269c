//! Every key of the policy language, section by section: what this version reads, and what it knows and refuses.
//!
//! The one table behind the reader's errors and the reference's test.

/// The keys of one kind of map.
#[derive(Debug)]
pub(in crate::policy) struct Section {
    /// As it is called in messages.
    pub what: &'static str,
    pub keys: &'static [&'static str],
    /// Words of the product that this version does not do.
    pub later: &'static [&'static str],
}

pub(in crate::policy) const POLICY: Section = Section {
    what: "the policy",
    keys: &[
        "timezone",
        "providers",
        "models",
        "clients",
        "routes",
        "budgets",
        "plans",
        "alerts",
    ],
    later: &["licenses", "rates", "defaults", "holidays", "values"],
};

pub(in crate::policy) const PROVIDER: Section = Section {
    what: "a provider",
    keys: &[
        "vendor",
        "region",
        "base_url",
        "api_key",
        "timeouts",
        "start",
        "breaker",
        "cooldown",
        "allow_private",
    ],
    later: &[
        "keys",
        "limits",
        "domain",
        "residence",
        "set",
        "default",
        "strip",
        "rename",
        "clamp",
        "probe",
        "balance",
        "licenses",
        "license",
        "headers",
        "dialect",
        "retry",
        "min_speed",
        "weights",
        "disabled",
        "rates",
    ],
};

pub(in crate::policy) const TIMEOUTS: Section = Section {
    what: "`timeouts`",
    keys: &["connect", "first_token", "idle", "total"],
    later: &["heartbeat", "pool", "write"],
};

pub(in crate::policy) const START: Section = Section {
    what: "`start`",
    keys: &["command", "ready"],
    later: &["idle", "warm_when", "env", "directory", "health"],
};

pub(in crate::policy) const MODEL: Section = Section {
    what: "a model",
    keys: &[
        "provider",
        "name",
        "supply",
        "quality",
        "context",
        "max_output",
        "price",
        "tools",
        "images",
        "json_schema",
    ],
    later: &[
        "license",
        "limits",
        "timeouts",
        "retires",
        "successor",
        "space",
        "domain",
        "residence",
        "reasoning",
        "set",
        "default",
        "strip",
        "rename",
        "clamp",
        "min_output",
        "uses",
        "territory",
        "disabled",
        "audio",
        "dimensions",
        "weight",
        "weights",
        "value",
        "probe",
    ],
};

pub(in crate::policy) const PRICE: Section = Section {
    what: "`price`",
    keys: &["input", "cache_read", "output"],
    later: &[
        "cache_write",
        "cache_write_5m",
        "cache_write_1h",
        "cache_read_explicit",
        "cache_storage",
        "reasoning",
        "thinking_output",
        "image",
        "image_input",
        "image_output",
        "audio",
        "audio_input",
        "audio_output",
        "video",
        "request",
        "compute",
        "web_search",
        "web_fetch",
        "tool_call",
        "tiers",
        "windows",
        "ladder",
        "free",
        "quota",
        "fee",
        "minimum",
        "discount",
        "surcharge",
        "service_tiers",
        "batch",
        "flex",
        "priority",
        "from",
        "until",
        "committed",
        "currency",
        "per_request",
    ],
};

pub(in crate::policy) const CLIENT: Section = Section {
    what: "a client",
    keys: &["key", "tags"],
    later: &[
        "routes",
        "limits",
        "expires",
        "may_set",
        "scope",
        "expose",
        "compat",
        "use",
        "territory",
        "keys",
    ],
};

pub(in crate::policy) const ROUTE: Section = Section {
    what: "a route",
    keys: &[
        "name",
        "match",
        "try",
        "pick",
        "need",
        "limits",
        "timeouts",
        "on_disconnect",
    ],
    later: &[
        "cap_output",
        "min_output",
        "heartbeat",
        "stick",
        "expose",
        "mirror",
        "set",
        "default",
        "strip",
        "rename",
        "clamp",
        "weights",
        "resume",
        "cascade",
        "hedge",
        "approve",
        "residence",
        "refusals",
        "retry",
        "min_speed",
        "value",
        "wait",
        "drop",
    ],
};

pub(in crate::policy) const MATCH: Section = Section {
    what: "`match`",
    keys: &["model"],
    later: &["tag", "tags", "client", "use", "path", "dialect", "when", "headers"],
};

pub(in crate::policy) const NEED: Section = Section {
    what: "`need`",
    keys: &["quality"],
    later: &[
        "use",
        "territory",
        "residence",
        "tools",
        "images",
        "json_schema",
        "context",
        "speed",
    ],
};

pub(in crate::policy) const LIMITS: Section = Section {
    what: "a route's `limits`",
    keys: &["cost", "attempts", "output"],
    later: &["requests", "tokens", "in_flight", "wait", "input"],
};

pub(in crate::policy) const BUDGET: Section = Section {
    what: "a budget",
    keys: &["limit", "per", "covers", "each", "alert_at", "enforce"],
    later: &[
        "held",
        "timezone",
        "pace",
        "carry_over",
        "start",
        "credit",
        "rates",
        "raise",
        "wait",
        "expires",
    ],
};

pub(in crate::policy) const PLAN: Section = Section {
    what: "a plan",
    keys: &["name", "when", "until", "after", "at_least", "only", "avoid", "change"],
    later: &[
        "shed",
        "message",
        "cap_output",
        "approve",
        "requires",
        "for",
        "alert",
        "probe",
        "set",
    ],
};

pub(in crate::policy) const CHANGE: Section = Section {
    what: "a plan's change of a route",
    keys: &["pick", "need"],
    later: &[
        "weights",
        "try",
        "limits",
        "cap_output",
        "timeouts",
        "shed",
        "message",
        "stick",
        "min_output",
        "on_disconnect",
        "heartbeat",
        "set",
    ],
};

pub(in crate::policy) const ALERT: Section = Section {
    what: "an alert",
    keys: &["url", "secret", "format", "events", "allow_private"],
    later: &[
        "name",
        "headers",
        "routing_key",
        "mention",
        "template",
        "severity",
        "when",
    ],
};

/// Every section, for the reference.
#[cfg(test)]
pub(in crate::policy) const SECTIONS: [&Section; 15] = [
    &POLICY, &PROVIDER, &TIMEOUTS, &START, &MODEL, &PRICE, &CLIENT, &ROUTE, &MATCH, &NEED, &LIMITS, &BUDGET, &PLAN,
    &CHANGE, &ALERT,
];
