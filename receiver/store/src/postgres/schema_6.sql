-- Schema 6. Turns of what is due: pending.flow counts always. Those that were armed again before are one flow, and so are those that
-- programs of schema 5 arm.
create index pending_due_by_flow on pending (sink, flow, due, seq) where due is not null;
