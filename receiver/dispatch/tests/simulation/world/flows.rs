//! Whose events they are, and how many others go before one.
use boathook_event::{Flow, ObjectName, Seq};

use super::World;

impl World {
    /// So many events of one flow.
    pub(crate) fn commit_of(&mut self, flow: u64, count: u64) {
        self.flows.insert(self.committed + 1, flow);
        self.commit(count);
    }

    /// The number of the flow that it is of.
    pub(crate) fn flow_number(&self, seq: Seq) -> u64 {
        if !self.mixed {
            return self.flows.range(..=seq).next_back().map_or(0, |(_, flow)| *flow);
        }
        let mixed = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        if mixed.is_multiple_of(4) { 1 + mixed / 4 % 200 } else { 0 }
    }

    /// Its endpoint and its tenant: two flows in three are of the same endpoint.
    pub(crate) fn whose(&self, seq: Seq) -> (ObjectName, Option<String>) {
        let number = self.flow_number(seq);
        let endpoint = if number.is_multiple_of(3) { "e" } else { "f" };
        (ObjectName::new("default", endpoint), (number > 0).then(|| number.to_string()))
    }

    pub(crate) fn flow_of(&self, seq: Seq) -> Flow {
        let place = usize::try_from(seq).unwrap_or(usize::MAX);
        self.flow_of.get(place).copied().unwrap_or(Flow::numbered(0))
    }

    /// Remembers the flows of what is committed: hashing names takes most of the time otherwise.
    pub(super) fn remember_flows(&mut self) {
        for seq in self.flow_of.len() as u64..=self.committed {
            let (endpoint, tenant) = self.whose(seq);
            self.flow_of.push(Flow::of(&endpoint, tenant.as_deref()));
        }
    }

    /// How many others of a sink were attempted, of those that came behind so many, before the last of these was.
    pub(crate) fn others_before(&mut self, sink: &ObjectName, since: usize, seqs: &[Seq]) -> usize {
        let (mut looked_at, mut others, mut left) = (since, 0, seqs.len());
        loop {
            for (_, seq) in self.begun.iter().skip(looked_at).filter(|(of, _)| of == sink) {
                if seqs.contains(seq) {
                    left -= 1;
                } else {
                    others += 1;
                }
                if left == 0 {
                    return others;
                }
            }
            looked_at = self.begun.len();
            assert!(self.advance(), "{seqs:?} are forgotten: {:?}", self.dispatcher.snapshot());
        }
    }
}
