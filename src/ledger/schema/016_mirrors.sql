-- Shadow calls are attempts that a budget of their own paid for: its name; empty for what served a client.
ALTER TABLE attempts ADD COLUMN mirror TEXT NOT NULL DEFAULT '';
