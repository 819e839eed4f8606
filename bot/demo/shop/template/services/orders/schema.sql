CREATE TABLE orders (
  id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, product_id INTEGER NOT NULL, quantity INTEGER NOT NULL,
  total_cents INTEGER NOT NULL, charge_id INTEGER NOT NULL, placed_at INTEGER NOT NULL
);
CREATE INDEX orders_by_customer ON orders (customer, placed_at);
CREATE TABLE coupons (code TEXT PRIMARY KEY, percent INTEGER NOT NULL);
