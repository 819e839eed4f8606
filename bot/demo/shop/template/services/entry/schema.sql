CREATE TABLE views (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, product_id INTEGER NOT NULL);
CREATE INDEX views_by_customer ON views (customer, id);
