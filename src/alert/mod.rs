//! Alerts: what happened, as signed webhooks, delivered at least once from the ledger's outbox.
