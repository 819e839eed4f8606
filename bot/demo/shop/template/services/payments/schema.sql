CREATE TABLE charges (
  id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, card TEXT NOT NULL, amount_cents INTEGER NOT NULL,
  provider_id TEXT NOT NULL, created_at INTEGER NOT NULL, settled INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX charges_by_card ON charges (card, created_at);
