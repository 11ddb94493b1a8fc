-- The booking platform's database, small but alive: a month of appointments.
CREATE TABLE users (
  id bigserial PRIMARY KEY,
  email text NOT NULL UNIQUE,
  salt text NOT NULL,
  password_hash text NOT NULL
);
CREATE TABLE barbers (
  id serial PRIMARY KEY,
  name text NOT NULL
);
CREATE TABLE appointments (
  id bigserial PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users,
  barber_id int NOT NULL REFERENCES barbers,
  starts_at timestamp NOT NULL,
  minutes int NOT NULL,
  state text NOT NULL CHECK (state IN ('booked', 'paid', 'cancelled')),
  UNIQUE (barber_id, starts_at)
);
CREATE TABLE payments (
  id bigserial PRIMARY KEY,
  appointment_id bigint NOT NULL REFERENCES appointments,
  cents bigint NOT NULL,
  paid_at timestamptz NOT NULL
);
CREATE INDEX ON payments (appointment_id);

INSERT INTO users (email, salt, password_hash)
SELECT 'user' || i || '@booking.example', 's' || i,
       encode(sha256(convert_to('s' || i || 'secret' || i, 'UTF8')), 'hex')
FROM generate_series(1, 2000) i;

INSERT INTO barbers (name) SELECT 'Barber ' || i FROM generate_series(1, 10) i;

INSERT INTO appointments (user_id, barber_id, starts_at, minutes, state)
SELECT 1 + (random() * 1999)::int, barber, day + make_interval(mins => 9 * 60 + slot * 15), 15,
       CASE WHEN random() < 0.9 THEN 'paid' ELSE 'cancelled' END
FROM generate_series(1, 10) barber,
     generate_series(current_date - 30, current_date - 1, interval '1 day') day,
     generate_series(0, 35) slot
WHERE random() < 0.7;

INSERT INTO payments (appointment_id, cents, paid_at)
SELECT id, 2500 + (random() * 3000)::int, starts_at FROM appointments WHERE state = 'paid';

GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO booking;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO booking;
ANALYZE;
