//! The room that one class has for keys: a Secret holds one mebibyte, and what does not fit is left out, newest first.
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use boathook_crds::{ConditionType, Reason, WebhookEndpoint, WebhookEndpointSpec, WebhookSinkSpec};
use boathook_event::ObjectName;
use boathook_table::{Accepted, Keys, Kind, Objects, Problem};

use crate::{limits::DOCUMENT_BYTES_MAX, names::name_of};

/// A value of a Secret: the Secret's name, and the key in it.
pub(crate) type Named<'n> = (&'n str, &'n str);

/// What an endpoint's spec names.
pub(crate) fn of_endpoint(spec: &WebhookEndpointSpec) -> impl Iterator<Item = Named<'_>> {
    let token = spec.verification.iter().filter_map(|verification| verification.verify_token.as_ref());
    let token = token.map(|token| (&*token.name, &*token.key));
    spec.secrets.iter().map(|secret| (&*secret.name, &*secret.key)).chain(token)
}

/// What a sink's spec names.
pub(crate) fn of_sink(spec: &WebhookSinkSpec) -> impl Iterator<Item = Named<'_>> {
    let headers = spec.http.iter().flat_map(|http| &http.headers);
    headers.filter_map(|header| header.secret_ref.as_ref()).map(|secret| (&*secret.name, &*secret.key))
}

/// Endpoints whose keys are left out of the document.
#[derive(Debug, Default)]
pub(crate) struct LeftOut(BTreeSet<ObjectName>);

impl LeftOut {
    /// Leaves out as many more endpoints as are too many for a document of `bytes`; says whether there were any.
    ///
    /// Those that are not accepted yet go first, then the newest. What an older one names, or was accepted before, stays.
    pub(crate) fn more(
        &mut self,
        bytes: usize,
        namespace: &str,
        objects: &Objects,
        keys: &Keys,
        accepted: &Accepted,
    ) -> bool {
        let too_many = bytes.saturating_sub(DOCUMENT_BYTES_MAX);
        if too_many == 0 {
            return false;
        }
        let mut candidates: Vec<&WebhookEndpoint> = objects.endpoints.iter().collect();
        candidates.sort_by_key(|object| {
            (
                was_accepted(object),
                Reverse((object.metadata.creation_timestamp.clone(), &object.metadata.name)),
            )
        });
        let room =
            |left_out: &Self| keys.only(namespace, &left_out.names(objects, accepted)).document_bytes();
        let (all, before) = (room(self), self.0.clone());
        for object in candidates {
            if all - room(self) >= too_many {
                break;
            }
            self.0.insert(name_of(&object.metadata));
        }
        // Those whose keys others name all the same make no room: they stay.
        let left = room(self);
        for name in self.0.difference(&before).cloned().collect::<Vec<_>>() {
            self.0.remove(&name);
            if room(self) != left {
                self.0.insert(name);
            }
        }
        self.0.len() > before.len()
    }

    /// The values that nobody else names.
    pub(crate) fn values<'n>(&self, objects: &'n Objects, accepted: &'n Accepted) -> BTreeSet<Named<'n>> {
        let all = Self::default().names(objects, accepted);
        all.difference(&self.names(objects, accepted)).copied().collect()
    }

    /// The values that the document has room for: what is written and what was accepted before names them.
    pub(crate) fn names<'n>(&self, objects: &'n Objects, accepted: &'n Accepted) -> BTreeSet<Named<'n>> {
        let generations: BTreeMap<ObjectName, Option<i64>> = objects
            .endpoints
            .iter()
            .map(|object| (name_of(&object.metadata), object.metadata.generation))
            .filter(|(name, _)| self.0.contains(name))
            .collect();
        let written =
            objects.endpoints.iter().filter(|object| !generations.contains_key(&name_of(&object.metadata)));
        // What was accepted of one that is left out stays, unless it is the very generation.
        let before = accepted
            .endpoints
            .iter()
            .filter(|(name, written)| generations.get(name) != Some(&Some(written.generation)));
        let endpoints = written.map(|object| &object.spec).chain(before.map(|(_, written)| &written.spec));
        let sinks = objects.sinks.iter().map(|sink| &sink.spec);
        let sinks = sinks.chain(accepted.sinks.values().map(|written| &written.spec));
        endpoints.flat_map(of_endpoint).chain(sinks.flat_map(of_sink)).collect()
    }

    /// Says why the endpoints that are left out are not accepted.
    pub(crate) fn tell(&self, problems: &mut Vec<Problem>) {
        let left_out = |problem: &Problem| problem.kind == Kind::Endpoint && self.0.contains(&problem.object);
        problems.retain(|problem| !(left_out(problem) && problem.reason == Reason::SecretMissing));
        problems.extend(self.0.iter().map(|name| Problem {
            kind: Kind::Endpoint,
            object: name.clone(),
            field: "spec.secrets".into(),
            reason: Reason::KeysFull,
            message: format!(
                "the keys of this class's endpoints in this namespace take more than {} KiB: use shorter ones or fewer, \
                 or another class or namespace",
                DOCUMENT_BYTES_MAX / 1024
            ),
        }));
    }
}

/// Whether this generation was told to be accepted: whoever leads next decides alike.
fn was_accepted(object: &WebhookEndpoint) -> bool {
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    let accepted = conditions.filter(|condition| condition.type_ == ConditionType::Accepted.as_str());
    accepted.into_iter().any(|condition| {
        condition.status == "True" && condition.observed_generation == object.metadata.generation
    })
}
