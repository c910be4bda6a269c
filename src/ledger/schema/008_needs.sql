-- What a request needed besides its size and its caller, as JSON, so that it can be decided again: output, choices,
-- thinking, tools, images, audio, json_schema, min_quality, max_cost. Empty for decisions that were recorded before.

ALTER TABLE decisions ADD COLUMN needs TEXT NOT NULL DEFAULT '';
