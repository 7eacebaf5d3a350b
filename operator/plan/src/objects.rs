//! What the receivers of one class need in one namespace, as objects to be applied.
//!
//! The ServiceAccount is the root: everything else is owned by it and goes with it, but for the volume claim, which
//! holds accepted events and is deleted by hand only. So the root is applied first, and the rest is rendered once its
//! uid is known. The same need always gives the same objects, members sorted.
mod access;
mod claim;
mod deployment;
mod draft;
mod ingress;
mod secret;
mod service;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::class::{Class, StoreKind};

/// What a class must serve in a namespace. It holds secrets and has no Debug output.
#[derive(Clone, PartialEq)]
pub struct Need<'n> {
    /// The namespace.
    pub namespace: &'n str,
    /// The class, without mistakes ([`crate::Configuration::check`]).
    pub class: &'n Class,
    /// The image that the receivers run; that of the class ([`crate::Configuration::image_of`]) or, while not all are to
    /// change at once, the one before.
    pub image: &'n str,
    /// The uid of the ServiceAccount, once it is there.
    pub owner_uid: Option<&'n str>,
    /// The document that the receivers read, with keys in it.
    pub table_json: &'n [u8],
    /// The paths that are served, by host. A host without paths has no route.
    pub routes: BTreeMap<&'n str, BTreeSet<&'n str>>,
}

/// Everything that is needed, in the order in which it is to be applied. Without an owner only what has none: the
/// ServiceAccount and the volume claim. The Secret's `data` is as secret as the keys in it.
pub fn objects(need: &Need<'_>) -> Vec<Value> {
    let claim = (need.class.store.kind == StoreKind::Local).then(|| claim::render(need));
    let roots = [access::service_account(need)].into_iter().chain(claim);
    let roots = roots.map(|draft| draft.finish(need, None));
    let Some(uid) = need.owner_uid else { return roots.collect() };
    let owned =
        [access::role_binding(need), secret::render(need), service::render(need), deployment::render(need)];
    let owned = owned.into_iter().chain(ingress::render(need));
    roots.chain(owned.map(|draft| draft.finish(need, Some(uid)))).collect()
}
