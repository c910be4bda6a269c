//! What selectors read: a model's facts, and who asks for what.

use super::Environment::Selector;
use super::Type::{Number, Text, Texts};
use super::{Of, Signature, Source, Subject, Type};

const fn request(of: Of, subject: Subject, words: [&'static str; 3]) -> Signature {
    Signature::new(Selector, subject, Source::Request(of), Text, words)
}

const fn model(of: Of, field: &'static str, kind: Type, words: [&'static str; 3]) -> Signature {
    Signature::new(Selector, Subject::Model, Source::Request(of), kind, words).field(field)
}

pub(super) const SELECTOR: [Signature; 15] = [
    model(
        Of::ModelName,
        "name",
        Text,
        [
            "a model's name",
            "model.name == \"tiny\"",
            "The model's name in this policy.",
        ],
    ),
    model(
        Of::ModelProvider,
        "provider",
        Text,
        [
            "a provider's name",
            "model.provider == \"qwen\"",
            "The name of the model's provider in this policy.",
        ],
    ),
    model(
        Of::ModelVendor,
        "vendor",
        Text,
        [
            "a vendor's word",
            "model.vendor == \"dashscope\"",
            "The `vendor` of the model's provider.",
        ],
    ),
    model(
        Of::ModelSupply,
        "supply",
        Text,
        [
            "`licensed`, `competitor`, `local`",
            "model.supply != \"local\"",
            "The kind of dependence that the model is.",
        ],
    ),
    model(
        Of::ModelQuality,
        "quality",
        Number,
        [
            "0 to 100",
            "model.quality >= 60",
            "The operator's number; every comparison with that of a model without one is false.",
        ],
    ),
    model(
        Of::ModelContext,
        "context",
        Number,
        [
            "tokens",
            "model.context >= 128000",
            "Tokens in and out together; every comparison with that of a model without one is false.",
        ],
    ),
    model(
        Of::ModelLicense,
        "license",
        Text,
        [
            "a licence's name",
            "model.license == \"qwen\"",
            "The licence that the model is used under; the empty text without one.",
        ],
    ),
    model(
        Of::ModelDomain,
        "domain",
        Text,
        [
            "a fault domain",
            "model.domain != \"aliyun\"",
            "What the model fails together with.",
        ],
    ),
    model(
        Of::ModelResidence,
        "residence",
        Texts,
        [
            "codes of territories",
            "\"DE\" in model.residence",
            "Where the model's data stays; empty where nobody said.",
        ],
    ),
    model(
        Of::ModelLabels,
        "labels",
        Texts,
        [
            "texts",
            "\"audited\" in model.labels",
            "The free words that the policy gave the model and its provider.",
        ],
    ),
    request(
        Of::Tag,
        Subject::Tag,
        [
            "text",
            "tag.team == \"search\"",
            "A tag of the request; the empty text where it has none of that name.",
        ],
    )
    .field("*"),
    request(
        Of::Client,
        Subject::Client,
        [
            "a client's name",
            "client == \"search\"",
            "Who asks; the empty text without clients.",
        ],
    ),
    request(
        Of::Use,
        Subject::Use,
        [
            "`commercial`, `internal`, `research`",
            "use != \"research\"",
            "What the answer is for; the empty text where nobody said.",
        ],
    ),
    request(
        Of::Territory,
        Subject::Territory,
        [
            "a country or region",
            "territory == \"CN\"",
            "Where the answer is used; the empty text where nobody said.",
        ],
    ),
    request(
        Of::Route,
        Subject::Route,
        [
            "a route's name",
            "route == \"chat\"",
            "The route that serves the request; `planb/NAME` where one model was asked for by name.",
        ],
    ),
];
