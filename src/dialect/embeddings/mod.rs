//! OpenAI embeddings: texts to vectors. `request` reads and rewrites the client's bytes, `answer` reads what came back.

pub mod answer;
pub mod request;
