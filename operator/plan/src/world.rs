//! What a decision is made from, and what it says.
use std::collections::{BTreeMap, BTreeSet};

use boathook_crds::{SecretRef, WebhookEndpoint, WebhookEndpointStatus, WebhookSink, WebhookSinkStatus};
use boathook_event::ObjectName;
use boathook_table::{Accepted, Keys, SealKey};
use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{
    Configuration,
    class::{Class, StoreKind},
};

/// A namespace as it is: what was written in it, and what is there.
#[derive(Debug, Clone, Copy)]
pub struct World<'w> {
    /// The namespace.
    pub namespace: &'w str,
    /// The operator's file.
    pub configuration: &'w Configuration,
    /// Its endpoints.
    pub endpoints: &'w [WebhookEndpoint],
    /// Its sinks.
    pub sinks: &'w [WebhookSink],
    /// The values of its Secrets, as far as they are named ([`crate::references`]).
    pub keys: &'w Keys,
    /// Secrets that were deleted a short while ago.
    pub held: &'w [Held],
    /// What was accepted last, by class.
    pub accepted: &'w BTreeMap<String, Accepted>,
    /// What is there of ours.
    pub observed: &'w Observed,
    /// What seals the secrets that receivers capture.
    pub seal_key: &'w SealKey,
    /// Why captured secrets could not be put where they belong, the last time.
    pub captures_failed: &'w BTreeMap<ObjectName, String>,
    /// The time; whole seconds matter.
    pub now: Timestamp,
}

/// A Secret that was deleted: its last values go on counting for as long as the class says, so that a slip of the hand stops
/// no traffic. It is told as missing all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// Its last values.
    pub values: Vec<(String, Zeroizing<Vec<u8>>)>,
    /// When it was found to be gone.
    pub since: Timestamp,
}

impl World<'_> {
    /// Whether this pod's totals are its own: its store keeps nothing.
    pub(crate) fn counts_alone(&self, pod: &str) -> bool {
        let keeps_nothing = |class: &&Class| class.store.kind == StoreKind::None;
        let classes = self.configuration.classes.iter().filter(keeps_nothing);
        let mut observed = classes.filter_map(|class| self.observed.classes.get(&class.name));
        observed.any(|class| class.pods.iter().any(|known| known.name == pod))
    }
}

/// What is there of ours in a namespace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// By class.
    pub classes: BTreeMap<String, ObservedClass>,
}

/// What is there of one class.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObservedClass {
    /// The uid of its ServiceAccount.
    pub service_account: Option<String>,
    /// Its Ingresses by name, and whether each has an address.
    pub ingresses: BTreeMap<String, bool>,
    /// Its pods.
    pub pods: Vec<Pod>,
    /// Why the Deployment makes no pods, in the API server's words.
    pub failure: Option<String>,
    /// Deliveries that wait in its store, where a receiver has said so.
    pub pending: Option<u64>,
}

/// A receiver's pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
}

/// What is to be done in a namespace.
#[derive(Default)]
pub struct Plan {
    /// To be applied, in this order, where the cluster has something else.
    pub objects: Vec<Value>,
    /// To be deleted, where they are there.
    pub gone: Vec<Gone>,
    /// The statuses of all endpoints, without what receivers write.
    pub endpoints: Vec<(ObjectName, WebhookEndpointStatus)>,
    /// The statuses of all sinks, without what receivers write.
    pub sinks: Vec<(ObjectName, WebhookSinkStatus)>,
    /// Secrets that receivers have captured, to be put where they belong.
    pub captured: Vec<Captured>,
    /// Entries of pods that are no more.
    pub dead: Vec<DeadEntry>,
    /// What has changed, for people.
    pub notices: Vec<Notice>,
    /// What is accepted now, by class: the [`World::accepted`] of the next time.
    pub accepted: BTreeMap<String, Accepted>,
    /// Classes without endpoints whose receivers may still have something to deliver: to be looked at again.
    pub draining: BTreeSet<String>,
    /// When a held Secret or the time of a capture ends: then it is to be looked again.
    pub look_again: Option<Timestamp>,
}

/// A secret that a receiver has captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// The endpoint that it is for.
    pub endpoint: ObjectName,
    /// Where it belongs; nothing is there yet.
    pub secret_ref: SecretRef,
    /// It, sealed with some [`World::seal_key`].
    pub sealed: String,
}

/// An object that is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Its kind.
    pub kind: GoneKind,
    /// Its name.
    pub name: String,
}

/// What is ever deleted. Everything else goes with its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoneKind {
    /// A route.
    Ingress,
    /// A class's root.
    ServiceAccount,
}

/// An entry of a pod that is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadEntry {
    /// Of a sink; else of an endpoint.
    pub of_sink: bool,
    /// The object.
    pub object: ObjectName,
    /// The entry's place in the list.
    pub index: usize,
    /// The pod that must stand there still.
    pub pod: String,
}

/// A Kubernetes Event about an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The endpoint.
    pub object: ObjectName,
    /// Whether a person should act.
    pub warning: bool,
    /// The condition's reason.
    pub reason: String,
    /// The condition's message.
    pub message: String,
}
