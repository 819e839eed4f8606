CREATE TABLE products (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, brand TEXT NOT NULL, category TEXT NOT NULL, popularity INTEGER NOT NULL,
  price_cents INTEGER NOT NULL, discount_percent INTEGER, stock INTEGER NOT NULL
);
CREATE INDEX products_by_category ON products (category, popularity);
CREATE INDEX products_by_name ON products (name);
